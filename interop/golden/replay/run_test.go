package replay

import (
	"errors"
	"os"
	"regexp"
	"testing"
	"testing/synctest"
)

func corpus(t *testing.T) []*Scenario {
	t.Helper()
	all, err := Load(os.DirFS(".."), "testdata")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestRecordedServerPasses: a server that does what was recorded passes, in every way that a recording leaves open.
func TestRecordedServerPasses(t *testing.T) {
	t.Parallel()
	ways := []struct {
		name string
		set  func(*fake)
		opt  Options
	}{
		{"optional ones missing", func(*fake) {}, Options{}},
		{"optional ones sent", func(f *fake) { f.optional = true }, Options{}},
		{"other alternatives", func(f *fake) { f.choice = 1; f.optional = true }, Options{}},
		{"last alternatives", func(f *fake) { f.choice = 2 }, Options{}},
		{"in pieces of 7 bytes", func(f *fake) { f.chunk = 7 }, Options{}},
		{"byte for byte", func(*fake) {}, Options{Bytes: true}},
	}
	for _, sc := range corpus(t) {
		t.Run(sc.Name, func(t *testing.T) {
			t.Parallel()
			for _, way := range ways {
				synctest.Test(t, func(t *testing.T) {
					f := newFake(sc)
					way.set(f)
					if diff, err := f.run(way.opt); diff != nil || err != nil {
						t.Errorf("%s: %v; the fake: %v", way.name, diff, err)
					}
				})
			}
		})
	}
}

// TestMutationsAreCaught spoils every expect of every scenario in every way that fits it: no expectation may be without effect. Of steps that are equal but for
// the names of connections and placeholders, such as negotiate and handshake, that of one scenario is taken.
func TestMutationsAreCaught(t *testing.T) {
	t.Parallel()
	names := regexp.MustCompile(`"at": "[^"]*"|\$\{[^}]*\}`)
	spoiled := map[string]bool{}
	for _, sc := range corpus(t) {
		var steps []int
		for i := range sc.Steps {
			if line := names.ReplaceAllString(sc.Steps[i].line, ""); sc.Steps[i].Do == "expect" && !spoiled[line] {
				spoiled[line] = true
				steps = append(steps, i)
			}
		}
		t.Run(sc.Name, func(t *testing.T) {
			t.Parallel()
			for _, i := range steps {
				// Where optional steps come right before, the fault may be seen while they are looked for.
				earliest := i
				for earliest > 0 && sc.Steps[earliest-1].Optional {
					earliest--
				}
				for _, kind := range kindsFor(sc, i) {
					synctest.Test(t, func(t *testing.T) {
						f := newFake(sc)
						f.mutate = mutation{i, kind}
						f.choice = 1 // of close-shutdown-websocket's alternatives the first, the end of TCP, cannot be changed
						diff, err := f.run(Options{})
						if err != nil && !errors.Is(err, errClientEnded) && diff == nil {
							t.Fatalf("step %d, %s: the fake: %v", i+1, kind, err)
						}
						if diff == nil {
							t.Errorf("step %d, %s: not caught: %s", i+1, kind, sc.Steps[i].line)
						} else if diff.Step < earliest+1 {
							t.Errorf("step %d, %s: caught too early: %v", i+1, kind, diff)
						}
					})
				}
			}
		})
	}
}

// kindsFor lists the faults that a step must notice.
func kindsFor(sc *Scenario, i int) []string {
	st := &sc.Steps[i]
	kinds := []string{"change"}
	switch {
	case st.Silence > 0:
		return []string{"break"}
	case st.HTTP != nil && st.HTTP.Stream, st.WS == "open" && len(st.Headers) > 0:
		kinds = []string{"header", "drop"}
	case st.HTTP != nil:
		kinds = append(kinds, "status", "drop")
		if len(st.HTTP.Headers) > 0 {
			kinds = append(kinds, "header")
		}
	case st.EOF:
		kinds = []string{"drop", "extra"}
	case st.Poll != "":
		kinds = append(kinds, "cut", "status")
	case st.WS == "text", st.WS == "binary":
		kinds = append(kinds, "cut", "extra", "kind")
	case st.SSE == "message":
		kinds = append(kinds, "cut")
	case st.WS == "ping":
		kinds = []string{"drop"} // its payload does not matter
	case st.WS == "close":
		kinds = append(kinds, "extra")
	}
	// The clock of a step begins when the optional one before it has been given up.
	if !st.Optional && st.Poll == "" && !sc.Steps[i-1].Optional {
		kinds = append(kinds, "late")
	}
	if st.After > 0 {
		kinds = append(kinds, "early")
	}
	return kinds
}
