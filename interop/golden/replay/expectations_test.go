package replay

import (
	"strings"
	"testing"
)

func TestReadExpectations(t *testing.T) {
	t.Parallel()
	all := []*Scenario{{Name: "a"}, {Name: "b", May: "better", Steps: make([]Step, 3)}, {Name: "c"}, {Name: "e", Steps: make([]Step, 1)}}
	e, err := ReadExpectations(strings.NewReader("# comment\n\n[not yet]\na   issue 5: streams\n[differs]\nb step 2: closes, which is safer\n[varies]\ne step 1: two at once\n"), all)
	if err != nil || e.NotYet["a"] != "issue 5: streams" || e.Differs["b"].Step != 0 && e.Differs["b"].Step != 2 {
		t.Errorf("%+v, %v", e, err)
	}
	if d := e.Differs["b"]; d.Step != 2 || d.Reason != "closes, which is safer" {
		t.Errorf("%+v", d)
	}
	if d := e.Differs["e"]; d.Step != 1 || !d.Varies || e.Differs["b"].Varies {
		t.Errorf("%+v", d)
	}
	for name, tt := range map[string]struct{ text, want string }{
		"unknown scenario":   {"[not yet]\nd reason", `no scenario "d"`},
		"no reason":          {"[not yet]\na", "reason is missing"},
		"no section":         {"a reason", "no section"},
		"unknown section":    {"[later]\na reason", "[later]"},
		"twice":              {"[not yet]\na x\na y", "twice"},
		"in both sections":   {"[not yet]\nb x\n[differs]\nb step 1: y", "twice"},
		"may not differ":     {"[differs]\na step 1: x", "does not say that a server may differ"},
		"step beyond":        {"[differs]\nb step 4: x", "N from 1 to 3"},
		"no step":            {"[differs]\nb x", "N from 1 to 3"},
		"step without why":   {"[differs]\nb step 1:", "N from 1 to 3"},
		"all problems named": {"[not yet]\nd x\nc", "c: the issue or reason is missing"},
	} {
		if _, err := ReadExpectations(strings.NewReader(tt.text), all); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	plain, may := &Scenario{Name: "a"}, &Scenario{Name: "b", May: "better"}
	diff := &Difference{Step: 2}
	notYet := &Expectations{NotYet: map[string]string{"a": "issue 5", "b": "issue 5"}}
	differs := &Expectations{Differs: map[string]Differs{"b": {2, "closes", false}}}
	varies := &Expectations{Differs: map[string]Differs{"a": {2, "a race", true}}}
	other := &Expectations{Differs: map[string]Differs{"b": {3, "closes", false}}}
	for name, tt := range map[string]struct {
		e    *Expectations
		sc   *Scenario
		diff *Difference
		want Outcome
		why  string
	}{
		"passes":                       {nil, plain, nil, Passed, ""},
		"fails":                        {nil, plain, diff, Failed, ""},
		"may differ":                   {nil, may, diff, MayDiffer, "better"},
		"may differ, passes":           {nil, may, nil, Passed, ""},
		"not yet":                      {notYet, plain, diff, NotYet, "issue 5"},
		"not yet, passes":              {notYet, plain, nil, Failed, "remove it"},
		"not yet, may":                 {notYet, may, diff, NotYet, "issue 5"},
		"differs as said":              {differs, may, diff, MayDiffer, "closes"},
		"differs, but passes":          {differs, may, nil, Failed, "remove it"},
		"varies":                       {varies, plain, diff, MayDiffer, "a race"},
		"varies, passes":               {varies, plain, nil, Passed, ""},
		"varies elsewhere":             {varies, plain, &Difference{Step: 1}, Failed, "said to differ at step 2"},
		"differs elsewhere":            {other, may, diff, Failed, "said to differ at step 3"},
		"differs, and nobody says how": {&Expectations{}, may, diff, Failed, "does not say how"},
		"fails with a list":            {&Expectations{}, plain, diff, Failed, ""},
	} {
		if r := tt.e.judge(tt.sc, tt.diff); r.Outcome != tt.want || !strings.Contains(r.Why, tt.why) {
			t.Errorf("%s: %v %q", name, r.Outcome, r.Why)
		}
	}
}
