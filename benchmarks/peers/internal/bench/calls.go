package bench

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"sync"
)

// Calls answers loadgen's calls, read by byte pattern as benchmarks/limit reads them: this costs next to nothing, so what is
// measured is the library. C is the library's connection.
type Calls[C comparable] struct {
	Write func(c C, text []byte)         // one message to one connection; text is the caller's again afterwards
	Fan   func(members []C, text []byte) // one message to many

	mu     sync.RWMutex
	all    []C            // under mu
	groups map[string][]C // under mu
}

// State is what is known about a connection. It belongs to the goroutine that reads it.
type State struct {
	shaken bool
	group  string
	out    []byte
}

const (
	sendBegin = `{"type":1,"target":"message","arguments":[`
	sendEnd   = "]}\x1e"
)

// Negotiate answers POST …/negotiate.
func Negotiate(w http.ResponseWriter, _ *http.Request) {
	token := rand.Text()
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"negotiateVersion":1,"connectionId":%q,"connectionToken":%q,"availableTransports":[{"transport":"WebSockets","transferFormats":["Text"]}]}`, token, token)
}

// Receive handles one WebSocket message. It reports false for what is none of loadgen's: the connection is to be closed.
func (s *Calls[C]) Receive(c C, st *State, p []byte) bool {
	for len(p) > 0 {
		end := bytes.IndexByte(p, 0x1e)
		if end < 0 {
			return false
		}
		if !st.shaken {
			st.shaken = true
			s.mu.Lock()
			s.all = append(s.all, c)
			s.mu.Unlock()
			s.Write(c, []byte("{}\x1e"))
		} else if !s.record(c, st, p[:end]) {
			return false
		}
		p = p[end+1:]
	}
	return true
}

func (s *Calls[C]) record(c C, st *State, p []byte) bool {
	rest, ok := bytes.CutPrefix(p, []byte(`{"type":1,`))
	if !ok {
		return string(p) == `{"type":6}` || string(p) == `{"type":7}`
	}
	id, rest := field(rest, `"invocationId":"`)
	target, rest := field(rest, `"target":"`)
	args, ok := bytes.CutPrefix(rest, []byte(`"arguments":[`))
	if args, ok = cutEnd(args, ok); !ok {
		return false
	}
	switch string(target) {
	case "Echo":
		s.answer(c, st, id, args)
		return true
	case "Broadcast":
		s.fan(st, args, "")
	case "Publish":
		group, arg, ok := bytes.Cut(args, []byte(","))
		if !ok {
			return false
		}
		s.fan(st, arg, string(group))
	case "Join":
		if st.group != "" {
			return false
		}
		st.group = string(args)
		s.mu.Lock()
		if s.groups == nil {
			s.groups = map[string][]C{}
		}
		s.groups[st.group] = append(s.groups[st.group], c)
		s.mu.Unlock()
	default:
		return false
	}
	s.answer(c, st, id, []byte("null"))
	return true
}

func cutEnd(p []byte, ok bool) ([]byte, bool) {
	p, end := bytes.CutSuffix(p, []byte("]}"))
	return p, ok && end
}

// field takes `name` and the text up to `",` from the beginning of p.
func field(p []byte, name string) (value, rest []byte) {
	after, ok := bytes.CutPrefix(p, []byte(name))
	if !ok {
		return nil, p
	}
	value, rest, _ = bytes.Cut(after, []byte(`",`))
	return value, rest
}

func (s *Calls[C]) answer(c C, st *State, id, result []byte) {
	if id == nil {
		return
	}
	b := append(st.out[:0], `{"type":3,"invocationId":"`...)
	b = append(b, id...)
	b = append(b, `","result":`...)
	b = append(b, result...)
	st.out = append(b, "}\x1e"...)
	s.Write(c, st.out)
}

func (s *Calls[C]) fan(st *State, arg []byte, group string) {
	b := append(st.out[:0], sendBegin...)
	b = append(b, arg...)
	st.out = append(b, sendEnd...)
	s.mu.RLock()
	defer s.mu.RUnlock()
	if group == "" {
		s.Fan(s.all, st.out)
	} else {
		s.Fan(s.groups[group], st.out)
	}
}

// Leave forgets a connection that has ended.
func (s *Calls[C]) Leave(c C, st *State) {
	if !st.shaken {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = without(s.all, c)
	if st.group != "" {
		s.groups[st.group] = without(s.groups[st.group], c)
	}
}

func without[C comparable](list []C, c C) []C {
	i := slices.Index(list, c)
	if i < 0 {
		return list
	}
	last := len(list) - 1
	list[i] = list[last]
	var none C
	list[last] = none
	return list[:last]
}
