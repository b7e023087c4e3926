// Package engine runs connections on event loops: it reads and writes bytes, keeps deadlines and runs posted tasks.
// It knows no HTTP, no WebSocket and no hub.
//
// One loop is one goroutine, and a connection belongs to one loop for life. The types show what is legal where:
// a *Conn may be used on its loop only (that is: inside a Handler's method, a Task or a timer of that loop); a Ref may be
// kept and used on any goroutine. See docs/ownership.md.
package engine
