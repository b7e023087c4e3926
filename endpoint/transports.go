package endpoint

import "strings"

// Transports is a set of transports.
type Transports uint8

// The transports, in the order in which negotiate lists them (wire contract, section 2.2).
const (
	WebSockets Transports = 1 << iota
	ServerSentEvents
	LongPolling

	allTransports = WebSockets | ServerSentEvents | LongPolling
)

var transportNames = [...]string{"WebSockets", "ServerSentEvents", "LongPolling"}

// offers is what negotiate says of each transport.
var offers = [...]string{
	`{"transport":"WebSockets","transferFormats":["Text","Binary"]}`,
	`{"transport":"ServerSentEvents","transferFormats":["Text"]}`,
	`{"transport":"LongPolling","transferFormats":["Text","Binary"]}`,
}

// String lists the names, separated by commas.
func (t Transports) String() string { return t.join(transportNames) }

// offered is the content of negotiate's availableTransports.
func (t Transports) offered() string { return t.join(offers) }

func (t Transports) join(each [3]string) string {
	var out []string
	for i, s := range each {
		if t&(1<<i) != 0 {
			out = append(out, s)
		}
	}
	return strings.Join(out, ",")
}
