package main

// section is a heading of the page with its lines. A line has the name of the tests that fill it, in interop/js/lib and in interop/java.
type section struct {
	title    string
	features []string
}

var sections = []section{
	{"Connections", []string{
		"connects with negotiate",
		"connects without negotiate",
		"a hub that does not speak the client's protocol refuses the handshake",
		"the connected event calls the client before its first answer",
		"a connected event that fails ends the connection for good",
		"stop ends the connection without an error, and start begins anew",
		"closed by the server for good: no reconnect",
		"a message over the cap closes the connection, with leave to reconnect",
		"a drain lets running calls finish, then closes with leave to reconnect",
		"reconnects when TCP is cut",
		"without automatic reconnect, a cut ends the connection; start begins anew",
		"stateful reconnect: a cut loses nothing, and no one notices",
		"an idle connection is kept: by pings of both sides, or by its poll",
		"a server that falls silent is given up",
		"a client that falls silent is closed with leave to reconnect",
		"200 clients at once",
	}},
	{"Calls", []string{
		"invoke returns what the method returned",
		"send needs no answer, and keeps the order",
		"calls of one client run one after the other, or side by side where the hub allows it",
		"typed values: text, numbers, nothing, null",
		"typed values: an object with a date, bytes, an id and an enum",
		"text beyond ASCII",
		"1 MiB of text in one message, in 64 KiB pieces and in 1 KiB pieces",
		"1 MiB of text from the server in one message",
		"errors: the hub's own text, the generic text, an unknown method, wrong arguments",
		"error texts with detailed errors off",
		"error texts with detailed errors on",
	}},
	{"Calls from the server", []string{
		"the server calls every handler until it is taken off",
		"groups",
		"users",
		"a refused user gets an error from start",
		"client results: a value, a promise, null",
		"client results: a failure, an answer of the wrong type, no answer",
		"client results: several questions at once",
	}},
	{"Streams", []string{
		"streaming down: items in order, then the end",
		"streaming down: calls go on meanwhile",
		"streaming down: the stream's errors",
		"streaming down: a call of the wrong kind",
		"streaming down: cancelled by the client",
		"streaming up: items, the end, an error",
		"streaming up: two streams with a plain argument between them",
		"streaming up: a method that ends first",
		"streaming up: sent without waiting for an answer",
		"streaming up and down in one call",
	}},
}
