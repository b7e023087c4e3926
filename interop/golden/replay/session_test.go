package replay

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// wsSession plays steps (without the header) on a WebSocket that is open; serve is the server behind the 101.
func wsSession(t *testing.T, steps string, serve func(s *duplex)) *Difference {
	t.Helper()
	sc, err := Parse([]byte(`{"scenario":"x","encoding":"json","hub":"/x"}
{"at":"ws","do":"send","ws":"open","path":"/x","resumed":true}
{"at":"ws","do":"expect","ws":"open","headers":{}}
` + strings.TrimSpace(steps) + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	f := newFake(sc)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		nc := (<-f.accepted).(*duplex)
		var buf [1024]byte
		for head := ""; !strings.Contains(head, "\r\n\r\n"); {
			n, err := nc.Read(buf[:])
			if err != nil {
				return
			}
			head += string(buf[:n])
		}
		_, _ = nc.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"))
		serve(nc)
	}()
	d := Run(t.Context(), sc, f.target(), Options{})
	<-ended
	return d
}

const (
	expectOne = `{"at":"ws","do":"expect","ws":"text","data":"{\"type\":1}\u001e"}`
	silent    = `{"at":"ws","do":"expect","silence_ms":300}`
	expectAck = `{"at":"ws","do":"expect","ws":"text","data":"{\"type\":8,\"sequenceId\":1}\u001e"}`
)

var (
	one  = serverFrame(true, 1, []byte("{\"type\":1}\x1e"))
	ack  = serverFrame(true, 1, []byte("{\"sequenceId\":1,\"type\":8}\x1e"))
	ping = serverFrame(true, 9, []byte("p"))
	pong = serverFrame(true, 10, nil)
)

// TestWhatIsPassedOver: pings, pongs and Acks, except where they are expected.
func TestWhatIsPassedOver(t *testing.T) {
	t.Parallel()
	join := func(frames ...[]byte) (all []byte) {
		for _, f := range frames {
			all = append(all, f...)
		}
		return all
	}
	for _, tt := range []struct {
		name, steps string
		sent        []byte
		fails       int // the step that fails; 0: none
		answers     int // pings that are answered
	}{
		{"ping", expectOne, join(ping, one), 0, 1},
		{"pong", expectOne, join(pong, one), 0, 0},
		{"Ack", expectOne, join(ack, one), 0, 0},
		{"Ack expected", expectAck + "\n" + expectOne, join(ack, one), 0, 0},
		{"Ack expected, but missing", expectAck, one, 3, 0},
		{"ping in silence", silent, ping, 0, 1},
		{"pong in silence", silent, pong, 0, 0},
		{"Ack in silence", silent, ack, 3, 0},
		{"message in silence", silent, one, 3, 0},
		{"ping expected", `{"at":"ws","do":"expect","ws":"ping"}`, ping, 0, 0},
		{"ping expected, another payload", `{"at":"ws","do":"expect","ws":"ping","hex":"71"}`, ping, 3, 0},
		{"pong expected, ping before", `{"at":"ws","do":"expect","ws":"pong"}`, join(ping, pong), 0, 1},
		{"optional and there", `{"at":"ws","do":"expect","ws":"text","data":"{\"type\":1}\u001e","optional":true}` + "\n" + expectAck, join(one, ack), 0, 0},
		{"optional and missing", `{"at":"ws","do":"expect","ws":"text","data":"{\"type\":2}\u001e","optional":true}` + "\n" + expectOne, one, 0, 0},
		{"two in any order, one missing", `{"at":"ws","do":"expect","any_order":[{"ws":"pong"},{"ws":"text","data":"{\"type\":1}\u001e"}]}`, one, 3, 0},
		{"none of two", `{"at":"ws","do":"expect","any_of":[{"ws":"pong"},{"eof":true}]}`, one, 3, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				answers := 0
				d := wsSession(t, tt.steps, func(s *duplex) {
					if _, err := s.Write(tt.sent); err != nil {
						return
					}
					var buf [64]byte
					for {
						n, err := s.Read(buf[:])
						if err != nil {
							return
						}
						if n != 7 || buf[0] != 0x8a || buf[6]^buf[2] != 'p' {
							t.Errorf("not the answer to a ping: %x", buf[:n])
						}
						answers++
					}
				})
				if tt.fails == 0 && d != nil || tt.fails != 0 && (d == nil || d.Step != tt.fails) || answers != tt.answers {
					t.Errorf("%v, %d pings answered; want step %d, %d", d, answers, tt.fails, tt.answers)
				}
			})
		})
	}
}

// TestBadSteps: what a scenario asks of the replayer and it cannot do is a difference, not a crash.
func TestBadSteps(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string]string{
		"a send to nobody":       `{"at":"nobody","do":"send","ws":"text","data":"x"}`,
		"an expect of nobody":    `{"at":"nobody","do":"expect","eof":true}`,
		"an unknown placeholder": `{"at":"ws","do":"send","ws":"text","data":"${never}"}`,
		"in a path":              `{"at":"ws","do":"send","http":{"method":"GET","path":"/${never}"}}`,
		"in a body":              `{"at":"ws","do":"send","http":{"method":"POST","path":"/","body":"${never}"}}`,
		"in MessagePack":         `{"at":"ws","do":"send","ws":"binary","msgpack":["${never}"]}`,
		"no event stream":        `{"at":"ws","do":"expect","sse":"raw","data":"x"}`,
		"an event":               `{"at":"ws","do":"expect","sse":"message","data":"x","within_ms":100}`,
		"a response":             `{"at":"ws","do":"expect","http":{"status":200,"body":""},"within_ms":100}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := wsSession(t, steps, func(s *duplex) {
					time.Sleep(time.Second)
					_ = s.Close()
				})
				if d == nil || d.Step != 3 || d.Detail == "" || d.Expected == "" || d.Got == "" {
					t.Errorf("%+v", d)
				}
			})
		})
	}
}
