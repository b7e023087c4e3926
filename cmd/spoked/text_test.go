package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/spokehub/spoke"
)

func TestCleanText(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in    string
		lines bool
		want  string
		err   string
	}{
		"plain":                     {in: "Ann", want: "Ann"},
		"trimmed":                   {in: " \tAnn \n", want: "Ann"},
		"empty":                     {in: "", err: "The name is empty."},
		"blank":                     {in: " \n\t ", err: "The name is empty."},
		"longest":                   {in: strings.Repeat("ä", 5), want: strings.Repeat("ä", 5)},
		"too long":                  {in: "abcdef", err: "The name has 6 characters; 5 are allowed."},
		"line feed":                 {in: "a\nb", err: "The name holds the control character U+000A, which is not allowed."},
		"line feed allowed":         {in: "a\nb", lines: true, want: "a\nb"},
		"carriage return":           {in: "a\rb", lines: true, err: "The name holds the control character U+000D, which is not allowed."},
		"null":                      {in: "a\x00", err: "The name holds the control character U+0000, which is not allowed."},
		"right-to-left override":    {in: "a\u202eb", err: "The name holds the control character U+202E, which is not allowed."},
		"emoji of several letters":  {in: "👩‍👩‍👧", want: "👩‍👩‍👧"},
		"right-to-left as a script": {in: "שלום", want: "שלום"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := cleanText("The name", c.in, 5, c.lines)
			if c.err == "" {
				if err != nil || got != c.want {
					t.Errorf("got %q, %v; want %q", got, err, c.want)
				}
				return
			}
			var public *spoke.HubError
			if !errors.As(err, &public) || public.Text != c.err {
				t.Errorf("error %v, want for the client: %s", err, c.err)
			}
		})
	}
}
