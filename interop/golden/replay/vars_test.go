package replay

import (
	"maps"
	"net/url"
	"testing"
)

func TestMatchCaptures(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		want, got string
		before    vars
		ok        bool
		after     vars
	}{
		{"plain", "abc", "abc", vars{}, true, vars{}},
		{"plain differs", "abc", "abd", vars{}, false, vars{}},
		{"captures", "id=${id}.", "id=aZ09-_+/=.", vars{}, true, vars{"id": "aZ09-_+/="}},
		{"captures nothing", "id=${id}.", "id=.", vars{}, false, vars{}},
		{"captures what may not stand there", "${id}", "a b", vars{}, false, vars{}},
		{"again equal", "${id}", "x", vars{"id": "x"}, true, vars{"id": "x"}},
		{"again different", "${id}", "y", vars{"id": "x"}, false, vars{"id": "x"}},
		{"twice equal", "${a}:${a}", "x:x", vars{}, true, vars{"a": "x"}},
		{"twice different", "${a}:${a}", "x:y", vars{}, false, vars{}},
		{"two", "${a}:${b}", "x:y", vars{}, true, vars{"a": "x", "b": "y"}},
		{"any", "a${any}z", "a line\nfeed z", vars{}, true, vars{}},
		{"any of nothing", "a${any}", "a", vars{}, true, vars{}},
		{"any, but the rest", "a${any}z", "a", vars{}, false, vars{}},
		{"special characters", "(.*)${id}", "(.*)x", vars{}, true, vars{"id": "x"}},
		{"special characters differ", "(.*)${id}", "abx", vars{}, false, vars{}},
		{"a value with special characters", "${id}", "a+b", vars{"id": "a+b"}, true, vars{"id": "a+b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := maps.Clone(tt.before)
			if ok := v.match(tt.want, tt.got); ok != tt.ok || !maps.Equal(v, tt.after) {
				t.Errorf("%v, then %v; want %v, then %v", ok, v, tt.ok, tt.after)
			}
		})
	}
}

func TestFill(t *testing.T) {
	t.Parallel()
	v := vars{"id": "a+b"}
	if got, err := v.fill("/x?id=${id}&y", nil); err != nil || got != "/x?id=a+b&y" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := v.fill("/x?id=${id}&y", url.QueryEscape); err != nil || got != "/x?id=a%2Bb&y" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := v.fill("${other}", nil); err == nil {
		t.Errorf("what nobody captured was filled in: %q", got)
	}
}
