package hubrt

// Transport is how a client is connected (wire contract, section 3). The zero value is unknown.
type Transport uint8

const (
	WebSockets Transport = 1 + iota
	ServerSentEvents
	LongPolling // has no pings
)

var transportNames = [...]string{WebSockets: "WebSockets", ServerSentEvents: "ServerSentEvents", LongPolling: "LongPolling"}

// String is the transport's name in SignalR, for example "WebSockets"; "" for what is none.
func (t Transport) String() string {
	if int(t) >= len(transportNames) {
		return ""
	}
	return transportNames[t]
}
