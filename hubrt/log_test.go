package hubrt

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
)

// TestLevels: what a client can bring about as often as it likes is not logged as a warning; the server's own faults are.
func TestLevels(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, record, line string
	}{
		{"a hub error", call1("1", "FailHub", `"full"`), `level=DEBUG msg="hub method failed" hub=test method=FailHub`},
		{"an unknown method", call1("1", "Nope"), `level=DEBUG msg="hub method failed" hub=test method=Nope`},
		{"arguments that do not fit", call1("1", "Echo", "1"), `level=DEBUG msg="hub method failed" hub=test method=Echo`},
		{"another error", call1("1", "Plain", `"disk full"`), `level=WARN msg="hub method failed" hub=test method=Plain`},
		{"a panic", call1("1", "Panic"), `level=ERROR msg="hub method panicked" hub=test method=Panic`},
		{"over the limit of groups", call1("1", "Join", `"a"`) + "\x1e" + call1("2", "Join", `"b"`), `level=DEBUG msg="hub method failed" hub=test method=Join`},
		{"a client that goes", call1("1", "Hang"), `level=DEBUG msg="hub method failed" hub=test method=Hang`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bubble(t, rigConfig{loops: 1}, func(r *rig) {
				h := r.hub(probe{}, Options{MaxGroups: 1})
				handle(t, h, "Hang", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
				c := r.connect(h)
				c.send(tt.record)
				synctest.Wait()
				c.leave()
				synctest.Wait()
				if log := r.log.String(); !strings.Contains(log, tt.line) {
					t.Errorf("want %s in the log:\n%s", tt.line, log)
				}
			})
		})
	}
}
