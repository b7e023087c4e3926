package main

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spokehub/spoke"
)

// The lengths of what people type, in characters.
const (
	maxName    = 32
	maxRoom    = 40
	maxMessage = 1000
)

// cleanText trims s and refuses what is empty, too long, or would draw over its neighbours: control and direction
// characters, except line feeds where lines is set.
func cleanText(what, s string, limit int, lines bool) (string, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return "", refusal("%s is empty.", what)
	}
	if n := utf8.RuneCountInString(s); n > limit {
		return "", refusal("%s has %d characters; %d are allowed.", what, n, limit)
	}
	for _, c := range s {
		if lines && c == '\n' {
			continue
		}
		if unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) {
			return "", refusal("%s holds the control character U+%04X, which is not allowed.", what, c)
		}
	}
	return s, nil
}

// refusal is an error whose text the client gets to see.
func refusal(format string, args ...any) error {
	return &spoke.HubError{Text: fmt.Sprintf(format, args...)}
}
