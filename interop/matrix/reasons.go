package main

import (
	"slices"
	"strings"
)

// reason says why cells are empty: what the client or the transport lacks. A field that is empty fits all.
type reason struct {
	clients    []string // patterns of their names
	protocols  []string
	transports []string
	feature    string // the beginning of its name; none: the whole column
	text       string
}

// reasons are the only empty cells of the page. The wire contract is docs/wire-contract.md; releases by its section 1.
var reasons = []reason{
	{
		protocols: []string{"MessagePack"}, transports: []string{"ServerSentEvents"},
		text: "An event stream carries text, so no MessagePack (wire contract, sections 2.2 and 5).",
	},
	{
		clients: []string{"Java *"}, transports: []string{"ServerSentEvents"},
		text: "The Java client has WebSockets and long polling only: of the transports that negotiate offers (wire contract, section 2.2) it never takes an event stream.",
	},
	{
		transports: []string{"ServerSentEvents", "LongPolling"}, feature: "connects without negotiate",
		text: "Only a WebSocket needs no negotiate (wire contract, section 2.3); the clients refuse to try.",
	},
	{
		clients: []string{"JavaScript 3.*", "JavaScript 6.*"}, feature: "client results: ",
		text: "Client results came with release 7.0 (wire contract, sections 1 and 15); an older client does not answer.",
	},
	{
		clients: []string{"JavaScript 3.*", "JavaScript 6.*", "Java *"}, feature: "stateful reconnect: ",
		text: "Stateful reconnect came with release 8.0 (wire contract, sections 1 and 18); older clients, and the Java client, which has none, do not ask for it.",
	},
	{
		transports: []string{"ServerSentEvents", "LongPolling"}, feature: "stateful reconnect: ",
		text: "Stateful reconnect is for WebSockets only (wire contract, section 18).",
	},
	{
		clients: []string{"JavaScript 3.*"}, transports: []string{"WebSockets"}, feature: "a hub that does not speak",
		text: "The 3.1 client throws a refused handshake (wire contract, section 9) out of its socket's event handler, which ends a Node process: its application cannot handle it.",
	},
	{
		clients: []string{"JavaScript * in Node"}, transports: []string{"ServerSentEvents", "LongPolling"}, feature: "a hub that does not speak",
		text: "The refusal (wire contract, section 9) comes on another connection than the answer to the POST that the client still waits for: it rejects a promise that nobody " +
			"listens to yet, which ends a Node process. In Chromium start fails, as it should.",
	},
	{
		clients: []string{"JavaScript * in Chromium"}, transports: []string{"ServerSentEvents", "LongPolling"}, feature: "200 clients at once",
		text: "Each client has an event stream or a poll open all the time (wire contract, sections 5 and 6), and a browser opens six connections to a server, no more.",
	},
	{
		transports: []string{"LongPolling"}, feature: "a server that falls silent",
		text: "Over long polling nobody pings, and the client has no timeout (wire contract, sections 6 and 17).",
	},
	{
		transports: []string{"LongPolling"}, feature: "a client that falls silent",
		text: "Over long polling nobody pings (wire contract, sections 6 and 17): a client that does not come back for its next poll is given up, of which it hears only when it does.",
	},
	{
		clients: []string{"Java *"}, transports: []string{"LongPolling"}, feature: "send needs no answer",
		text: unordered,
	},
	{
		clients: []string{"Java *"}, transports: []string{"LongPolling"}, feature: "streaming up",
		text: "As before: the items and the end of a stream overtake each other on their way.",
	},
	{
		clients: []string{"Java *"}, feature: "reconnects when TCP is cut",
		text: "The Java client has no automatic reconnect, so leave to reconnect (wire contract, section 16) means nothing to it: its application calls start, as in the next line.",
	},
}

// unordered is about the Java client's LongPollingTransport.
const unordered = "Over long polling the Java client sends each message in a POST of its own and does not wait for the answer to the one before. " +
	"They come on several connections, in any order (wire contract, section 7, has no more than that they are queued), so what is sent without waiting has none."

// fits says that a column's cells of some feature, or the column itself, are empty for this reason.
func (r *reason) fits(c column) bool {
	return (r.clients == nil || slices.ContainsFunc(r.clients, func(p string) bool { return c.client != "" && fits(c.client, p) })) &&
		(r.protocols == nil || slices.Contains(r.protocols, c.protocol)) &&
		(r.transports == nil || slices.Contains(r.transports, c.transport))
}

// reasonFor gives the number of the reason for an empty cell, from 1; 0 is none.
func reasonFor(c column, feature string) int {
	return 1 + slices.IndexFunc(reasons, func(r reason) bool { return r.feature != "" && strings.HasPrefix(feature, r.feature) && r.fits(c) })
}

// reasonForNone gives the number of the reason for which there is no such column at all; 0 is none. The client may be a pattern of clients.
func reasonForNone(c column) int {
	return 1 + slices.IndexFunc(reasons, func(r reason) bool { return r.feature == "" && r.fits(c) })
}
