package replay

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Expectations say which scenarios a server is not expected to pass, and why.
type Expectations struct {
	NotYet  map[string]string  // scenario -> issue or reason
	Differs map[string]Differs // how this server differs: always, where the recording says "may"; or at times
}

// Differs is a stated difference.
type Differs struct {
	Step   int    // the first step that differs
	Reason string // how, and why it is as good or better
	Varies bool   // at times it does not differ: what is recorded is one of several outcomes of a race
}

// ReadExpectations reads the list: sections "[not yet]" with lines "scenario reason", "[differs]" with lines "scenario step N: reason", and "[varies]" with
// such lines for races; # begins a comment line. Unknown or repeated scenarios, and lines without a reason, are errors, all reported at once.
func ReadExpectations(r io.Reader, all []*Scenario) (*Expectations, error) {
	known := map[string]*Scenario{}
	for _, sc := range all {
		known[sc.Name] = sc
	}
	e := &Expectations{NotYet: map[string]string{}, Differs: map[string]Differs{}}
	var problems []error
	section := ""
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if strings.HasPrefix(line, "[") {
			if section = line; section != "[not yet]" && section != "[differs]" && section != "[varies]" {
				problems = append(problems, fmt.Errorf("line %d: section %s: want [not yet], [differs] or [varies]", n, section))
			}
			continue
		}
		if err := e.add(section, line, known); err != nil {
			problems = append(problems, fmt.Errorf("line %d: %w", n, err))
		}
	}
	if err := lines.Err(); err != nil {
		problems = append(problems, err)
	}
	return e, errors.Join(problems...)
}

func (e *Expectations) add(section, line string, known map[string]*Scenario) error {
	name, reason, _ := strings.Cut(line, " ")
	reason = strings.TrimSpace(reason)
	sc := known[name]
	if sc == nil {
		return fmt.Errorf("there is no scenario %q", name)
	}
	_, again := e.NotYet[name]
	if _, too := e.Differs[name]; again || too {
		return fmt.Errorf("%s stands here twice", name)
	}
	if section == "[not yet]" {
		if reason == "" {
			return fmt.Errorf("%s: the issue or reason is missing", name)
		}
		e.NotYet[name] = reason
		return nil
	}
	varies := section == "[varies]"
	if section != "[differs]" && !varies {
		return fmt.Errorf("%s: stands in no section", name)
	}
	if sc.May == "" && !varies {
		return fmt.Errorf("%s: the recording does not say that a server may differ", name)
	}
	step, reason, _ := strings.Cut(strings.TrimPrefix(reason, "step "), " ")
	n, err := strconv.Atoi(strings.TrimSuffix(step, ":"))
	if err != nil || n < 1 || n > len(sc.Steps) || strings.TrimSpace(reason) == "" {
		return fmt.Errorf("%s: want \"step N: reason\", N from 1 to %d", name, len(sc.Steps))
	}
	e.Differs[name] = Differs{Step: n, Reason: strings.TrimSpace(reason), Varies: varies}
	return nil
}
