package main

import "strings"

// reason says why a client has no test of a feature: what it lacks.
type reason struct {
	clients []string // beginnings of their names
	feature string   // the beginning of its name
	text    string
}

// reasons are the only empty cells of the page. The wire contract is docs/wire-contract.md; releases by its section 1.
var reasons = []reason{
	{
		[]string{"JavaScript 3.", "JavaScript 6."}, "client results: ",
		"Client results came with release 7.0 (wire contract, sections 1 and 15); an older client does not answer.",
	},
	{
		[]string{"JavaScript 3.", "JavaScript 6.", "Java "}, "stateful reconnect: ",
		"Stateful reconnect came with release 8.0 (wire contract, sections 1 and 18); older clients, and the Java client, which has none, do not ask for it.",
	},
	{
		[]string{"JavaScript 3."}, "a hub that does not speak",
		"The 3.1 client throws a refused handshake (wire contract, section 9) out of its socket's event handler, which ends a Node process: its application cannot handle it.",
	},
	{
		[]string{"Java "}, "reconnects when TCP is cut",
		"The Java client has no automatic reconnect, so leave to reconnect (wire contract, section 16) means nothing to it: its application calls start, as in the next line.",
	},
}

// reasonFor gives the number of the reason for an empty cell, from 1; 0 is none.
func reasonFor(client, feature string) int {
	for i, r := range reasons {
		for _, c := range r.clients {
			if strings.HasPrefix(client, c) && strings.HasPrefix(feature, r.feature) {
				return i + 1
			}
		}
	}
	return 0
}
