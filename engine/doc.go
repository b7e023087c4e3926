// Package engine runs connections on event loops: it reads and writes bytes, keeps deadlines and runs posted tasks.
// It knows no HTTP, no WebSocket and no hub.
//
// One loop is one goroutine, and a connection belongs to one loop for life. The types show what is legal where:
// a *Conn may be used on its loop only (that is: inside a Handler's method, a Task or a timer of that loop); a Ref may be
// kept and used on any goroutine. See docs/ownership.md.
//
// An iteration of a loop: look at the sockets; read what is ready, 64 KiB per connection at most; accept; run what was posted, at
// most 1,024 tasks; run timers and, once a second, deadlines; call OnClose of what has ended; write what was queued, with one call
// per connection; free the slots of what has ended. A panic in a handler ends its connection, not the server.
//
// The system calls of a loop are behind a small interface (driver.go) with three forms: epoll on Linux; gnet's event loops, which
// call ours (hosted.go), elsewhere and by choice; and connections in memory for tests and simulations. Everything else is the same
// for all, and one contract suite runs over all.
package engine
