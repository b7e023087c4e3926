package logtest_test

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spokehub/spoke/internal/logtest"
)

func TestAwait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &logtest.Buffer{}
		say := func(text string) {
			if _, err := io.WriteString(l, text); err != nil {
				t.Error(err)
			}
		}
		say("one two ")
		l.Await(t, time.Second, "one")
		go func() {
			for _, text := range []string{"on", "e thr", "ee"} {
				time.Sleep(time.Second) // in a bubble: the time is simulated
				say(text)
			}
		}()
		began := time.Now()
		l.Await(t, time.Minute, "one") // the second
		if waited := time.Since(began); waited != 2*time.Second {
			t.Errorf("waited %v, want 2s", waited)
		}
		l.Await(t, time.Minute, "three")
		if got := l.Take(); got != "one two one three" || l.String() != "" {
			t.Errorf("took %q, left %q", got, l.String())
		}
		say("one")
		l.Await(t, time.Second, "one")
	})
}

// fatal is a test that fails.
type fatal struct {
	testing.TB
	said string
}

func (f *fatal) Helper() {}

func (f *fatal) Fatalf(format string, _ ...any) {
	f.said = format
	panic(f)
}

func TestAwaitInVain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fatal{}
		defer func() {
			if recover() != f || !strings.Contains(f.said, "nothing says") {
				t.Errorf("it said %q", f.said)
			}
		}()
		new(logtest.Buffer).Await(f, time.Second, "x")
	})
}
