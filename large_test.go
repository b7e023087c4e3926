package spoke_test

import (
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/spokehub/spoke"
	"github.com/spokehub/spoke/engine"
)

// TestLargeMessages: a client that takes its time for answers, items or sends of many megabytes is not cut off by what else is sent to it meanwhile.
func TestLargeMessages(t *testing.T) {
	t.Parallel()
	const ticks = 5
	large := strings.Repeat("x", 8<<20)
	for _, tt := range []struct{ name, record, last string }{
		{"answer", `{"type":1,"invocationId":"1","target":"Answer","arguments":[]}`, ""},
		{"items", `{"type":4,"invocationId":"1","target":"Items","arguments":[]}`, ""},
		{"send", `{"type":1,"invocationId":"1","target":"Push","arguments":[]}`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var hub *spoke.Hub
			s, addr := start(t, spoke.Config{}, func(s *spoke.Server) { hub = mapHub(t, s, "/h", nil) })
			for name, fn := range map[string]any{
				"Answer": func() string { return large },
				"Items": func() iter.Seq[string] {
					return func(yield func(string) bool) {
						for range 3 {
							if !yield(large) {
								return
							}
						}
					}
				},
				"Push": func(c *spoke.Context) error { return c.Clients().Caller().Send("large", large) },
			} {
				if err := hub.Handle(name, fn); err != nil {
					t.Fatal(err)
				}
			}
			c := dial(t, addr, "/h")
			if err := c.Write(tt.record); err != nil {
				t.Fatal(err)
			}
			waitFor(t, "what the client takes its time for", func() bool { return s.Stats().Engine.BytesOut > 1<<16 })
			for i := range ticks {
				sent := s.Stats().Hubs.Published
				if err := hub.Clients().All().Send("tick", i); err != nil {
					t.Fatal(err)
				}
				waitFor(t, "the tick to be queued", func() bool { return s.Stats().Hubs.Published > sent })
			}
			completed := false
			for n := 0; n < ticks || !completed; {
				_ = c.Conn.SetReadDeadline(time.Now().Add(time.Minute))
				m, err := c.Next()
				if err != nil {
					t.Fatalf("after %d ticks: %v; %d connections were over a cap", n, err, s.Stats().Engine.Closed[engine.OutboundOverflow])
				}
				if m.Target == "tick" {
					n++
				}
				completed = completed || m.Type == completion
			}
		})
	}
}
