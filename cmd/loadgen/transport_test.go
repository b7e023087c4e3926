package main

import (
	"strings"
	"testing"
)

func TestEvents(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, in string
		data     []string
		rest     string
		err      string
	}{
		{name: "one", in: "data: a\r\n\r\n", data: []string{"a"}},
		{name: "two", in: "data: a\r\n\r\ndata: b\r\n\r\n", data: []string{"a", "b"}},
		{name: "empty line of data", in: "data: \r\n\r\n", data: []string{""}},
		{name: "several lines", in: "data: a\r\ndata: b\r\ndata: \r\n\r\n", data: []string{"a\nb\n"}},
		{name: "comments", in: ":\r\ndata: a\r\n: x\r\ndata: b\r\n\r\n", data: []string{"a\nb"}},
		{name: "a part", in: "data: a\r\n\r\ndata: b\r\n", data: []string{"a"}, rest: "data: b\r\n"},
		{name: "a field of another kind", in: "id: 1\r\n\r\n", err: "data is expected"},
		{name: "no field", in: "a\r\n\r\n", err: "data is expected"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			in := []byte(c.in)
			var got []string
			for {
				event, rest, whole := cutEvent(in)
				if !whole {
					break
				}
				in = rest
				data, err := eventData(event)
				if err != nil {
					if c.err == "" || !strings.Contains(err.Error(), c.err) {
						t.Fatalf("error %v, want %q", err, c.err)
					}
					return
				}
				got = append(got, string(data))
			}
			if c.err != "" || strings.Join(got, "|") != strings.Join(c.data, "|") || len(got) != len(c.data) || string(in) != c.rest {
				t.Errorf("got %q and %q behind, want %q and %q, error %q", got, in, c.data, c.rest, c.err)
			}
		})
	}
}
