package replay

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
)

// placeholder is ${name}; ${any} is not compared.
var placeholder = regexp.MustCompile(`\$\{([A-Za-z0-9]+)\}`)

// vars holds what the placeholders of one run have captured.
type vars map[string]string

// fill puts the captured values into a text that is sent. escape, if not nil, is applied to each value.
func (vs vars) fill(s string, escape func(string) string) (string, error) {
	var missing error
	out := placeholder.ReplaceAllStringFunc(s, func(m string) string {
		name := m[2 : len(m)-1]
		value, ok := vs[name]
		if !ok {
			missing = fmt.Errorf("nothing has been captured for ${%s}", name)
			return m
		}
		if escape != nil {
			value = escape(value)
		}
		return value
	})
	return out, missing
}

// match compares got with an expected text. A placeholder captures what is there the first time (at least one of letters, digits and -_+/=) and must be
// equal afterwards. When the texts differ, vs is as it was.
func (vs vars) match(want, got string) bool {
	at := placeholder.FindAllStringSubmatchIndex(want, -1)
	if at == nil {
		return want == got
	}
	var pattern strings.Builder
	pattern.WriteString(`(?s)\A`)
	var names []string
	end := 0
	for _, m := range at {
		pattern.WriteString(regexp.QuoteMeta(want[end:m[0]]))
		end = m[1]
		name := want[m[2]:m[3]]
		if name == "any" {
			pattern.WriteString(`.*`)
		} else if value, ok := vs[name]; ok {
			pattern.WriteString(regexp.QuoteMeta(value))
		} else {
			pattern.WriteString(`([-A-Za-z0-9_+/=]+)`)
			names = append(names, name)
		}
	}
	pattern.WriteString(regexp.QuoteMeta(want[end:]))
	pattern.WriteString(`\z`)
	found := regexp.MustCompile(pattern.String()).FindStringSubmatch(got)
	if found == nil {
		return false
	}
	captured := vars{}
	for i, name := range names {
		if before, ok := captured[name]; ok && before != found[i+1] {
			return false
		}
		captured[name] = found[i+1]
	}
	maps.Copy(vs, captured)
	return true
}
