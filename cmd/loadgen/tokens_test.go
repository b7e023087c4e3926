package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestTokenHashes(t *testing.T) {
	t.Parallel()
	for _, want := range []tokenHashes{{}, {0}, {1, 1<<64 - 1, hashToken([]byte("token"))}} {
		b, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got tokenHashes
		if err := json.Unmarshal(b, &got); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v; want %v", b, got, err, want)
		}
	}
	for _, bad := range []string{`"AAAA"`, `"!"`, `7`} {
		var got tokenHashes
		if err := json.Unmarshal([]byte(bad), &got); err == nil {
			t.Errorf("%s was read: %v", bad, got)
		}
	}
	if hashToken(nil) != 0xcbf29ce484222325 || hashToken([]byte("a")) != 0xaf63dc4c8601ec8c {
		t.Error("it is not FNV-1a")
	}
}

func TestTokenSet(t *testing.T) {
	t.Parallel()
	const kept = 10_000
	s := tokenSet{kept: kept}
	r := rand.New(rand.NewPCG(1, 2))
	var list []uint64
	for i := range uint64(5 * kept) {
		h := r.Uint64()
		if i%3 == 0 {
			h = i / 3 // in a row, 0 too
		}
		list = append(list, h)
		if !s.add(h) {
			t.Fatalf("%d, the %d., is said to be known", h, i+1)
		}
		if back := r.IntN(min(len(list), kept)) + 1; s.add(list[len(list)-back]) {
			t.Fatalf("the hash %d before is said to be new", back)
		}
		if s.young.n > kept || s.old.n > kept || len(s.young.slots) > 4*kept {
			t.Fatalf("%d and %d hashes in %d slots", s.young.n, s.old.n, len(s.young.slots))
		}
	}
	if !s.add(list[1]) {
		t.Error("what is long past was kept")
	}
}

func TestTokensCostNothing(t *testing.T) {
	token := []byte("PUlSX1ZjzBmK0O2jM9Cn6A")
	s := &shard{worker: &worker{opts: &options{check: true}}, tally: &tally{}}
	body := fmt.Sprintf(`{"negotiateVersion":1,"connectionId":"id","connectionToken":%q}`, token)
	answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Sat, 01 Jan 2000 00:00:00 GMT\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	for i := range 100 {
		if n := testing.AllocsPerRun(100, func() {
			a, n, err := s.asking.alike.parse(answer)
			if n == 0 || err != nil {
				t.Fatalf("%d, %v", n, err)
			}
			s.judgeAnswer(&a, 0)
			s.tally.Tokens = s.tally.Tokens[:0]
		}); n != 0 && i > 0 {
			t.Fatalf("%v allocations for an answer", n)
		}
	}
	if s.tally.Answered == 0 || s.tally.Errors != nil {
		t.Errorf("%+v", s.tally)
	}
}
