package main

import "strings"

// column is one way in which a client may talk to a server. Its test suite has its name: "Java 9.0.3, JSON, WebSockets, http".
type column struct {
	client    string
	protocol  string
	transport string
	scheme    string
}

func (c column) String() string {
	return strings.Join([]string{c.client, c.protocol, c.transport, c.scheme}, ", ")
}

// way is a column without its client.
func (c column) way() column { c.client = ""; return c }

// clients are the beginnings of their names, in the page's order. A whole run has each of them in each way, but for what reasons.go excepts.
var clients = []string{
	"JavaScript 10.* in Node", "JavaScript 10.* in Chromium", "JavaScript 6.* in Node", "JavaScript 3.* in Node", "Java *",
}

// ways are those in which a client may talk to a server, in the page's order.
var ways = func() (all []column) {
	for _, scheme := range []string{"http", "https"} {
		for _, transport := range []string{"WebSockets", "ServerSentEvents", "LongPolling"} {
			for _, protocol := range []string{"JSON", "MessagePack"} {
				all = append(all, column{"", protocol, transport, scheme})
			}
		}
	}
	return all
}()

// columnOf reads a suite's name; a suite of something else, such as spoked's page, is none.
func columnOf(suite string) (c column, ok bool) {
	parts := strings.Split(suite, ", ")
	if len(parts) != 4 {
		return c, false
	}
	return column{parts[0], parts[1], parts[2], parts[3]}, true
}

// fits compares with a pattern in which one * stands for any text.
func fits(s, pattern string) bool {
	before, after, _ := strings.Cut(pattern, "*")
	return len(s) >= len(before)+len(after) && strings.HasPrefix(s, before) && strings.HasSuffix(s, after)
}
