package spoke_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/spokehub/spoke"
)

// invalidOperation has the name of .NET's InvalidOperationException, for detailed errors.
type invalidOperation struct{ text string }

func (e *invalidOperation) Error() string     { return e.text }
func (e *invalidOperation) ErrorName() string { return "InvalidOperationException" }

// myHubError is a kind of HubError with a name of its own.
type myHubError struct{ *spoke.HubError }

func (e *myHubError) ErrorName() string { return "MyHubException" }

// stubborn is a value that no encoding can write.
type stubborn struct{}

func (stubborn) MarshalJSON() ([]byte, error)    { return nil, &invalidOperation{"not this one"} }
func (stubborn) MarshalMsgpack() ([]byte, error) { return nil, &invalidOperation{"not this one"} }

// faultyHub is a hub whose methods fail in each of the ways of wire contract, section 13.
type faultyHub struct{}

func (faultyHub) Echo(text string) string     { return text }
func (faultyHub) Add(a, b int32) int32        { return a + b }
func (faultyHub) Fail(text string) error      { return &invalidOperation{text} }
func (faultyHub) FailHub(text string) error   { return spoke.Errorf("%s", text) }
func (faultyHub) FailMyHub(text string) error { return &myHubError{spoke.Errorf("%s", text)} }
func (faultyHub) Stopped() string             { return "" } // its middleware fails
func (faultyHub) Secret() string              { return "" } // for users
func (faultyHub) Unwritable() stubborn        { return stubborn{} }
func (faultyHub) Count(n int) iter.Seq[int] {
	return func(yield func(int) bool) { _ = n > 0 && yield(0) }
}
func (faultyHub) Concat(items <-chan string) string { return <-items }

// Endless streams a 0 and then nothing until it is canceled.
func (faultyHub) Endless(ctx context.Context) iter.Seq[int] {
	return func(yield func(int) bool) {
		if yield(0) {
			<-ctx.Done()
		}
	}
}

func (faultyHub) CountFail() iter.Seq2[int, error]    { return thenFail(&invalidOperation{"late"}) }
func (faultyHub) CountFailHub() iter.Seq2[int, error] { return thenFail(spoke.Errorf("late")) }
func (faultyHub) FailBefore() (<-chan int, error)     { return nil, &invalidOperation{"early"} }
func (faultyHub) NullStream() <-chan int              { return nil }

func thenFail(err error) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) { _ = yield(0, nil) && yield(0, err) }
}

// noEntry is a hub whose connected event fails.
type noEntry struct{ faultyHub }

func (noEntry) OnConnected(*spoke.Context) error { return &invalidOperation{"no entry"} }

// stopping is middleware that fails in front of Stopped.
func stopping(next spoke.Invoker) spoke.Invoker {
	return func(inv *spoke.Invocation) (any, error) {
		if inv.Method() == "Stopped" {
			return nil, &invalidOperation{"stopped"}
		}
		return next(inv)
	}
}

// faultServer has the hubs of the table, each with detailed errors off, under /off, and on, under /on.
func faultServer(t *testing.T) (addr string) {
	_, addr = start(t, spoke.Config{}, func(s *spoke.Server) {
		for _, detailed := range []bool{false, true} {
			for path, set := range map[string]func(o *spoke.HubOptions){
				"/hub":      func(*spoke.HubOptions) {},
				"/noentry":  func(*spoke.HubOptions) {},
				"/silent":   func(o *spoke.HubOptions) { o.ClientTimeout = time.Second },
				"/late":     func(o *spoke.HubOptions) { o.HandshakeTimeout = time.Second },
				"/stateful": func(o *spoke.HubOptions) { o.StatefulReconnect = true },
				"/json":     func(o *spoke.HubOptions) { o.Protocols = []spoke.Protocol{spoke.JSON} },
			} {
				var hub any = faultyHub{}
				if path == "/noentry" {
					hub = noEntry{}
				}
				mapHub(t, s, mode(detailed)+path, hub, func(o *spoke.HubOptions) {
					o.DetailedErrors = detailed
					o.Transports = spoke.WebSockets | spoke.ServerSentEvents
					o.Middleware = []spoke.Middleware{stopping}
					o.Methods = map[string]spoke.MethodOptions{"Secret": {RequireUser: true}}
					set(o)
				})
			}
		}
	})
	return addr
}

func mode(detailed bool) string {
	if detailed {
		return "/on"
	}
	return "/off"
}

// texts are what is expected of one server: for both encodings, or with other words in MessagePack.
type texts struct{ both, packed string }

func (x texts) of(packed bool) string {
	if packed && x.packed != "" {
		return x.packed
	}
	return x.both
}

func call(kind int, target string, args ...any) said {
	return said{kind: kind, id: "1", target: target, args: args}
}

// Texts that come in several rows.
const (
	invoking   = "An unexpected error occurred invoking "
	toInvoke   = "Failed to invoke "
	dueTo      = " due to an error on the server."
	onServer   = " on the server."
	streaming  = "An error occurred on the server while streaming results."
	closedWith = "Connection closed with an error."
	noMethod   = " HubException: Method does not exist."
	unbound    = " InvalidDataException: Error binding arguments. Make sure that the types of the provided values match the types of the hub method being invoked."
)

// TestErrorTexts produces the rows A to J and L of wire contract, section 13, over WebSockets, in both encodings, with detailed errors off and on.
// Row K needs a custom binder, which there is none of; row M is TestHandshakeErrorTexts.
func TestErrorTexts(t *testing.T) {
	t.Parallel()
	addr := faultServer(t)
	failed := func(row string) texts { return texts{both: "error 1: " + row} }
	ended := func(text string) texts { return texts{both: "close, reconnect: " + closedWith + text} }
	for _, tt := range []struct {
		row, name string
		path      string // default /hub
		say       []said
		raw       func(packed bool) ([]byte, error) // instead of say
		first     []string                          // comes before
		off, on   texts                             // on: default as off
	}{
		{row: "A", name: "unknown method", say: []said{call(invocation, "Nope")}, off: failed(toInvoke + "'Nope'" + dueTo + noMethod)},
		{row: "A", name: "unknown stream", say: []said{call(streamInvocation, "Nope")}, off: failed(toInvoke + "'Nope'" + dueTo + noMethod)},
		{row: "B", name: "too few arguments", say: []said{call(invocation, "Add", 1)}, off: failed(toInvoke + "'Add'" + dueTo),
			on: failed(toInvoke + "'Add'" + dueTo + " InvalidDataException: Invocation provides 1 argument(s) but target expects 2.")},
		{row: "B", name: "wrong type", say: []said{call(invocation, "Add", "x", 2)}, off: failed(toInvoke + "'Add'" + dueTo), on: failed(toInvoke + "'Add'" + dueTo + unbound)},
		{row: "B", name: "too many arguments of a stream", say: []said{call(streamInvocation, "Count", 1, 2)}, off: failed(toInvoke + "'Count'" + dueTo),
			on: failed(toInvoke + "'Count'" + dueTo + " InvalidDataException: Invocation provides 2 argument(s) but target expects 1.")},
		{row: "B", name: "other spelling", say: []said{call(invocation, "ADD", 1)}, off: failed(toInvoke + "'Add'" + dueTo),
			on: failed(toInvoke + "'Add'" + dueTo + " InvalidDataException: Invocation provides 1 argument(s) but target expects 2.")},
		{row: "C", name: "error", say: []said{call(invocation, "Fail", "m")}, off: failed(invoking + "'Fail'" + onServer),
			on: failed(invoking + "'Fail'" + onServer + " InvalidOperationException: m")},
		{row: "C", name: "hub error", say: []said{call(invocation, "FailHub", "m")}, off: failed(invoking + "'FailHub'" + onServer + " HubException: m")},
		{row: "C", name: "kind of hub error", say: []said{call(invocation, "FailMyHub", "m")}, off: failed(invoking + "'FailMyHub'" + onServer + " MyHubException: m")},
		{row: "C", name: "middleware", say: []said{call(invocation, "Stopped")}, off: failed(invoking + "'Stopped'" + onServer),
			on: failed(invoking + "'Stopped'" + onServer + " InvalidOperationException: stopped")},
		{row: "C", name: "before there is a stream", say: []said{call(streamInvocation, "FailBefore")}, off: failed(invoking + "'FailBefore'" + onServer),
			on: failed(invoking + "'FailBefore'" + onServer + " InvalidOperationException: early")},
		{row: "C", name: "other spelling", say: []said{call(invocation, "FAIL", "m")}, off: failed(invoking + "'Fail'" + onServer),
			on: failed(invoking + "'Fail'" + onServer + " InvalidOperationException: m")},
		{row: "D", name: "not authorized", say: []said{call(invocation, "Secret")}, off: failed(toInvoke + "'Secret' because user is unauthorized")},
		{row: "E", name: "stream called plainly", say: []said{call(invocation, "Count", 1)},
			off: failed("The client attempted to invoke the streaming 'Count' method with a non-streaming invocation.")},
		{row: "F", name: "plain method called as a stream", say: []said{call(streamInvocation, "Echo", "x")},
			off: failed("The client attempted to invoke the non-streaming 'Echo' method with a streaming invocation.")},
		{row: "F", name: "other spelling", say: []said{call(streamInvocation, "ECHO", "x")}, off: texts{
			both:   "error 1: The client attempted to invoke the non-streaming 'Echo' method with a streaming invocation.",
			packed: "error 1: The client attempted to invoke the non-streaming 'ECHO' method with a streaming invocation.",
		}},
		{row: "G", name: "no stream", say: []said{call(invocation, "Concat")}, off: failed(invoking + "'Concat'" + onServer + " HubException: Client sent 0 stream(s), Hub method expects 1.")},
		{row: "G", name: "too many streams", say: []said{{kind: invocation, id: "1", target: "Concat", streams: []string{"2", "3"}}},
			off: failed(invoking + "'Concat'" + onServer + " HubException: Client sent 2 stream(s), Hub method expects 1.")},
		{row: "G", name: "stream for a stream", say: []said{{kind: streamInvocation, id: "1", target: "Count", args: []any{1}, streams: []string{"2"}}},
			off: failed(invoking + "'Count'" + onServer + " HubException: Client sent 1 stream(s), Hub method expects 0.")},
		{row: "H", name: "error after items", say: []said{call(streamInvocation, "CountFail")}, first: []string{"item 1: 0"}, off: failed(streaming),
			on: failed(streaming + " InvalidOperationException: late")},
		{row: "H", name: "hub error after items", say: []said{call(streamInvocation, "CountFailHub")}, first: []string{"item 1: 0"}, off: failed(streaming + " HubException: late")},
		{row: "I", name: "no stream returned", say: []said{call(streamInvocation, "NullStream")},
			off: failed("The value returned by the streaming method 'NullStream' is not a ChannelReader<> or IAsyncEnumerable<>.")},
		{row: "I", name: "other spelling", say: []said{call(streamInvocation, "nullstream")},
			off: failed("The value returned by the streaming method 'NullStream' is not a ChannelReader<> or IAsyncEnumerable<>.")},
		{row: "J", name: "id in use", say: []said{call(streamInvocation, "Endless"), call(streamInvocation, "Count", 1)}, off: failed("Invocation ID '1' is already in use.")},
		{row: "L", name: "connected event", path: "/noentry", off: texts{both: "close: " + closedWith}, on: texts{both: "close: " + closedWith + " InvalidOperationException: no entry"}},
		{row: "L", name: "no target", raw: func(packed bool) ([]byte, error) {
			if packed {
				return call(invocation, "").record(true)
			}
			return []byte(`{"type":1,"arguments":[]}` + "\x1e"), nil
		}, off: ended(""), on: texts{
			both:   "close, reconnect: " + closedWith + " InvalidDataException: Missing required property 'target'.",
			packed: "close, reconnect: " + closedWith + " InvalidDataException: Null or empty target for Invocation message.",
		}},
		{row: "L", name: "too long", say: []said{call(invocation, "Echo", strings.Repeat("x", 40_000))}, off: ended(""),
			on: ended(" InvalidDataException: The maximum message size of 32768B was exceeded. The message size can be configured in AddHubOptions.")},
		{row: "L", name: "silent client", path: "/silent", say: []said{{kind: ping}}, off: ended(""),
			on: ended(" OperationCanceledException: Client hasn't sent a message/ping within the configured ClientTimeoutInterval.")},
		{row: "L", name: "result that cannot be written", say: []said{call(invocation, "Unwritable")}, off: ended(""), on: texts{ // the words of the encoders
			both:   "close, reconnect: " + closedWith + " JsonException: json: error calling MarshalJSON for type spoke_test.stubborn: not this one",
			packed: "close, reconnect: " + closedWith + " MessagePackSerializationException: not this one",
		}},
		{row: "L", name: "sequence too high", path: "/stateful", say: []said{{kind: sequence, number: 5}}, off: ended(""),
			on: ended(" InvalidOperationException: Sequence ID greater than amount of messages we've received.")},
	} {
		for _, packed := range []bool{false, true} {
			for _, detailed := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/packed=%t/detailed=%t", tt.row, tt.name, packed, detailed), func(t *testing.T) {
					t.Parallel()
					want := tt.off
					if detailed && tt.on != (texts{}) {
						want = tt.on
					}
					path := mode(detailed) + "/hub"
					if tt.path != "" {
						path = mode(detailed) + tt.path
					}
					version := 1
					if tt.path == "/stateful" {
						path, version = path+"?id="+agreedToken(t, addr+path), 2
					}
					s := speak(t, addr, path, packed)
					if err := s.write([]byte(handshake(packed, version) + "\x1e")); err != nil {
						t.Fatal(err)
					}
					if got, err := s.answer(); err != nil || got != "{}" {
						t.Fatalf("the handshake is answered with %q, %v", got, err)
					}
					if tt.raw != nil {
						p, err := tt.raw(packed)
						if err == nil {
							err = s.write(p)
						}
						if err != nil {
							t.Fatal(err)
						}
					}
					if err := s.say(tt.say...); err != nil {
						t.Fatal(err)
					}
					all := append([]string(nil), tt.first...)
					all = append(all, want.of(packed))
					if strings.HasPrefix(want.both, "close") {
						all = append(all, "close frame 1000")
					}
					for _, w := range all {
						got, err := s.next()
						if tt.row == "J" && got == "item 1: 0" { // of the first one, which runs on; before or after the error
							got, err = s.next()
						}
						if err != nil || got != w {
							t.Fatalf("got  %s, %v\nwant %s", got, err, w)
						}
					}
				})
			}
		}
	}
}

// agreedToken asks for stateful reconnect.
func agreedToken(t *testing.T, url string) string {
	t.Helper()
	res, err := http.Post("http://"+url+"/negotiate?negotiateVersion=1"+asked, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var n struct{ ConnectionToken string }
	if err := json.NewDecoder(res.Body).Decode(&n); err != nil {
		t.Fatal(err)
	}
	return n.ConnectionToken
}

// TestHandshakeErrorTexts produces row M of wire contract, section 13: the texts of section 9.
func TestHandshakeErrorTexts(t *testing.T) {
	t.Parallel()
	addr := faultServer(t)
	const fault = "An unexpected error occurred during connection handshake."
	for _, tt := range []struct {
		name    string
		path    string // default /hub
		say     string
		off, on string // on: default as off
	}{
		{name: "silent client", path: "/late", off: "Handshake was canceled."},
		{name: "too long", say: `{"protocol":"` + strings.Repeat("x", 40_000), off: "Handshake was canceled."},
		{name: "unknown protocol", say: `{"protocol":"morse","version":1}`, off: "The protocol 'morse' is not supported."},
		{name: "protocol of another hub", path: "/json", say: `{"protocol":"MessagePack","version":1}`, off: "The protocol 'MessagePack' is not supported."},
		{name: "JSON of the future", say: `{"protocol":"JSON","version":3}`, off: "The server does not support version 3 of the 'JSON' protocol."},
		{name: "MessagePack of the future", say: `{"protocol":"messagepack","version":3}`, off: "The server does not support version 3 of the 'messagepack' protocol."},
		{name: "no protocol", say: `{"version":1}`, off: fault, on: fault + ` InvalidDataException: Missing required property 'protocol'. Message content: {"version":1}`},
		{name: "no version", say: `{"protocol":"json"}`, off: fault, on: fault + ` InvalidDataException: Missing required property 'version'. Message content: {"protocol":"json"}`},
		{name: "protocol 5", say: `{"protocol":5,"version":1}`, off: fault, on: fault + " InvalidDataException: Expected 'protocol' to be of type String."},
		{name: "version of letters", say: `{"protocol":"json","version":"1"}`, off: fault, on: fault + " InvalidDataException: Expected 'version' to be of type Number."},
		{name: "array", say: `[]`, off: fault, on: fault + " InvalidDataException: Unexpected JSON Token Type 'Array'. Expected a JSON Object."},
	} {
		for _, detailed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/detailed=%t", tt.name, detailed), func(t *testing.T) {
				t.Parallel()
				path, want := mode(detailed)+"/hub", tt.off
				if tt.path != "" {
					path = mode(detailed) + tt.path
				}
				if detailed && tt.on != "" {
					want = tt.on
				}
				s := speak(t, addr, path, false)
				if tt.say != "" {
					if err := s.write([]byte(tt.say + "\x1e")); err != nil {
						t.Fatal(err)
					}
				}
				answer, err := s.answer()
				var got struct{ Error string }
				if err != nil || json.Unmarshal([]byte(answer), &got) != nil || got.Error != want {
					t.Fatalf("got  %s, %v\nwant %s", answer, err, want)
				}
				if got, err := s.next(); err != nil || got != "close frame 1000" {
					t.Errorf("then %s, %v", got, err)
				}
			})
		}
	}
	for _, detailed := range []bool{false, true} {
		t.Run(fmt.Sprintf("MessagePack over an event stream/detailed=%t", detailed), func(t *testing.T) {
			t.Parallel()
			url := "http://" + addr + mode(detailed) + "/hub?id=" + agreedToken(t, addr+mode(detailed)+"/hub")
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Accept", "text/event-stream")
			events, err := http.DefaultClient.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer events.Body.Close()
			sent, err := http.Post(url, "text/plain;charset=UTF-8", strings.NewReader(handshake(true, 1)+"\x1e"))
			if err != nil {
				t.Fatal(err)
			}
			defer sent.Body.Close()
			all, err := io.ReadAll(events.Body)
			const want = `{"error":"Cannot use the 'messagepack' protocol on the current transport. The transport does not support 'Binary' transfer format."}`
			if err != nil || !strings.Contains(string(all), "data: "+want+"\x1e") {
				t.Errorf("got %d, then %q, %v\nwant %s", events.StatusCode, all, err, want)
			}
		})
	}
}
