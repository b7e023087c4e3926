package method

import (
	"unicode"
	"unicode/utf8"
)

// LowerCamel makes the lower camel case of a Go name: the first word in small letters, as in Send, send; ID, id; HTTPStatus, httpStatus.
func LowerCamel(goName string) string {
	out := make([]byte, 0, len(goName))
	for i, c := range goName {
		if !unicode.IsUpper(c) {
			return string(append(out, goName[i:]...))
		}
		next, _ := utf8.DecodeRuneInString(goName[i+utf8.RuneLen(c):])
		if i > 0 && unicode.IsLower(next) { // the next word begins here
			return string(append(out, goName[i:]...))
		}
		out = utf8.AppendRune(out, unicode.ToLower(c))
	}
	return string(out)
}
