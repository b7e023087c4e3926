package replay

import (
	"context"
	"fmt"
	"sync"
)

// Outcome says what became of a scenario.
type Outcome int

// The outcomes.
const (
	Passed    Outcome = iota
	Failed            // differs where it must not; or passes, or differs elsewhere, against what the expectations say
	MayDiffer         // differs where the recording, and the expectations if there are any, allow it
	NotYet            // differs, as the expectations say
	NotRun            // stops the server, which this replayer did not start
)

func (o Outcome) String() string {
	return [...]string{"passed", "FAILED", "may differ", "not expected yet", "not run"}[o]
}

// Result is what became of one scenario.
type Result struct {
	Scenario *Scenario
	Outcome  Outcome
	Diff     *Difference // the first difference; nil when there is none
	Why      string      // of a failure that is not (only) the difference, and of an allowed difference
	Runs     int         // how often it was played: again when something came too early, see Suite
}

// maxRuns is how often a scenario is played in which something came too early.
const maxRuns = 3

// Suite plays many scenarios against one server. A scenario that fails because something came too early, and for that alone, is played again, up to
// three times in all: its clock starts when the client has read the event before, which a busy machine may delay by more than the recording's margin (a server that really is early stays early).
type Suite struct {
	Target   Target
	Own      func() (t Target, stop func(), err error) // a server of its own for a scenario that stops it; nil: these are not run
	Options  Options
	Expect   *Expectations // nil: none; a difference of a scenario marked "may" is then allowed anywhere
	Parallel int           // scenarios at a time; default 16
}

// Run plays all scenarios, tells each result as it comes (one at a time) and returns how many came to each outcome.
func (s *Suite) Run(ctx context.Context, all []*Scenario, tell func(Result)) map[Outcome]int {
	parallel := s.Parallel
	if parallel <= 0 {
		parallel = 16
	}
	queue := make(chan *Scenario)
	counts := map[Outcome]int{}
	var mu sync.Mutex // counts and tell
	var wg sync.WaitGroup
	for range parallel {
		wg.Go(func() {
			for sc := range queue {
				r := s.one(ctx, sc)
				mu.Lock()
				counts[r.Outcome]++
				tell(r)
				mu.Unlock()
			}
		})
	}
	for _, sc := range longestFirst(all) {
		queue <- sc
	}
	close(queue)
	wg.Wait()
	return counts
}

// longestFirst orders scenarios by the time that they wait, so that the longest one does not begin last.
func longestFirst(all []*Scenario) []*Scenario {
	var slow, quick []*Scenario
	for _, sc := range all {
		ms := 0
		for i := range sc.Steps {
			ms += sc.Steps[i].MS + sc.Steps[i].Silence + sc.Steps[i].After
		}
		if ms >= 2000 {
			slow = append(slow, sc)
		} else {
			quick = append(quick, sc)
		}
	}
	return append(slow, quick...)
}

func (s *Suite) one(ctx context.Context, sc *Scenario) Result {
	for n := 1; ; n++ {
		r := s.once(ctx, sc)
		r.Runs = n
		if r.Outcome != Failed || r.Diff == nil || !r.Diff.Early || n == maxRuns {
			return r
		}
	}
}

func (s *Suite) once(ctx context.Context, sc *Scenario) Result {
	target := s.Target
	if sc.OwnServer {
		if s.Own == nil {
			return Result{Scenario: sc, Outcome: NotRun, Why: "it stops the server, so it needs one that the replayer started"}
		}
		own, stop, err := s.Own()
		if err != nil {
			return Result{Scenario: sc, Outcome: Failed, Why: "a server of its own: " + err.Error()}
		}
		defer stop()
		target = own
	}
	return s.Expect.judge(sc, Run(ctx, sc, target, s.Options))
}

// judge compares a run with what was expected of it. e may be nil.
func (e *Expectations) judge(sc *Scenario, diff *Difference) Result {
	r := Result{Scenario: sc, Outcome: Failed, Diff: diff}
	var notYet string
	var differs Differs
	if e != nil {
		notYet, differs = e.NotYet[sc.Name], e.Differs[sc.Name]
	}
	switch {
	case diff == nil && (notYet != "" || differs.Step != 0 && !differs.Varies):
		r.Why = "it passes: remove it from the list of expectations"
	case diff == nil:
		r.Outcome = Passed
	case notYet != "":
		r.Outcome, r.Why = NotYet, notYet
	case differs.Step != 0 && differs.Step != diff.Step:
		r.Why = fmt.Sprintf("it differs at step %d, but is said to differ at step %d", diff.Step, differs.Step)
	case differs.Step != 0:
		r.Outcome, r.Why = MayDiffer, differs.Reason
	case sc.May != "" && e == nil:
		r.Outcome, r.Why = MayDiffer, sc.May
	case sc.May != "":
		r.Why = "it may differ, but the list of expectations does not say how: " + sc.May
	}
	return r
}

// Summary is the last line of a report.
func Summary(counts map[Outcome]int) string {
	line := fmt.Sprintf("%d passed, %d failed, %d may differ, %d not expected yet", counts[Passed], counts[Failed], counts[MayDiffer], counts[NotYet])
	if n := counts[NotRun]; n > 0 {
		line += fmt.Sprintf(" (%d not run: they stop the server)", n)
	}
	return line
}
