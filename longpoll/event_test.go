package longpoll

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// events are wire contract, section 5: what records become.
var events = []struct{ name, records, want string }{
	{"a ping", "{\"type\":6}\x1e", "data: {\"type\":6}\x1e\r\n\r\n"},
	{"two records", "{}\x1e{\"type\":6}\x1e", "data: {}\x1e{\"type\":6}\x1e\r\n\r\n"},
	{"empty", "", "\r\n"},
	{"a line feed inside", "a\nb", "data: a\r\ndata: b\r\n\r\n"},
	{"CR LF inside", "a\r\nb", "data: a\r\ndata: b\r\n\r\n"},
	{"two CR before LF: one goes", "a\r\r\nb", "data: a\r\r\ndata: b\r\n\r\n"},
	{"a CR alone stays", "a\rb", "data: a\rb\r\n\r\n"},
	{"a line that is only CR keeps it", "\r\nb", "data: \r\r\ndata: b\r\n\r\n"},
	{"an LF at the end: the last line is empty", "a\n", "data: a\r\ndata: \r\n\r\n"},
	{"an LF alone", "\n", "data: \r\ndata: \r\n\r\n"},
	{"empty lines between", "a\n\n\nb", "data: a\r\ndata: \r\ndata: \r\ndata: b\r\n\r\n"},
	{"a CR at the very end stays", "a\nb\r", "data: a\r\ndata: b\r\r\n\r\n"},
}

func TestAppendEvent(t *testing.T) {
	t.Parallel()
	for _, tt := range events {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := string(AppendEvent([]byte("before"), []byte(tt.records))); got != "before"+tt.want {
				t.Errorf("got %q, want %q", got, "before"+tt.want)
			}
		})
	}
}

// TestAppendChunk: a chunk holds exactly the event, of any size.
func TestAppendChunk(t *testing.T) {
	t.Parallel()
	cases := events
	for _, n := range []int{1, 5, 6, 245, 246, 4085, 4086, 65525, 1 << 20} { // around the places where a size gets another digit
		long := strings.Repeat("x", n)
		cases = append(cases, struct{ name, records, want string }{fmt.Sprint(n, " bytes"), long, "data: " + long + "\r\n\r\n"})
	}
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			chunk := string(AppendChunk(nil, []byte(tt.records)))
			if want := fmt.Sprintf("%x\r\n%s\r\n", len(tt.want), tt.want); chunk != want {
				t.Errorf("got %.100q, want %.100q", chunk, want)
			}
		})
	}
}

// TestHead: what StreamHead begins, and chunks go on with, is an answer that net/http can read; without chunks it ends with the connection.
func TestHead(t *testing.T) {
	t.Parallel()
	const date = "Mon, 02 Jan 2006 15:04:05 GMT"
	for _, plain := range []bool{false, true} {
		raw := StreamHead([]byte("x"), date, plain)[1:]
		if plain {
			raw = AppendEvent(AppendEvent(raw, []byte("one\x1e")), []byte("two\x1e"))
		} else {
			raw = append(AppendChunk(AppendChunk(raw, []byte("one\x1e")), []byte("two\x1e")), lastChunk...)
		}
		res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(raw)), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if want := Hello + "data: one\x1e\r\n\r\ndata: two\x1e\r\n\r\n"; string(body) != want {
			t.Errorf("plain %v: body %q, want %q", plain, body, want)
		}
		if chunked := len(res.TransferEncoding) == 1; chunked == plain || !res.Close { // the connection ends with the stream
			t.Errorf("plain %v: transfer coding %q, close %v", plain, res.TransferEncoding, res.Close)
		}
		for name, want := range map[string]string{
			"Content-Type": "text/event-stream", "Cache-Control": "no-cache,no-store", "Pragma": "no-cache", "Content-Encoding": "identity", "Date": date,
		} {
			if got := res.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	}
}
