package hubrt

import "testing"

func TestTransport(t *testing.T) {
	t.Parallel()
	for transport, want := range map[Transport]string{0: "", WebSockets: "WebSockets", ServerSentEvents: "ServerSentEvents", LongPolling: "LongPolling", LongPolling + 1: "", 255: ""} {
		if got := transport.String(); got != want {
			t.Errorf("%d: got %q, want %q", transport, got, want)
		}
	}
}
