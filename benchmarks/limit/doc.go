// Command limit is the floor that the figures in RESULTS.md are ratios to: the least that a server written in Go can do on one
// core for what cmd/loadgen asks. It is one loop over epoll with raw system calls and nothing else:
//
//   - one goroutine, no hand-off, no lock; nothing is allocated once a connection is open;
//   - edge-triggered epoll, registered once per connection: no epoll_ctl afterwards. One read(2) per event, into one buffer that
//     all connections share: a read that did not fill the buffer has emptied the socket (unless the peer has ended: then
//     the end is read, too), and the edge comes again with new bytes;
//   - frames are unmasked where they lie. Echo copies the argument between the constant parts of a completion, and all answers
//     to one read leave in one write(2);
//   - a broadcast is one frame, built once, and one write(2) of it per socket. With -coalesce the broadcasts of one turn of the
//     loop are joined and each socket gets one write(2) of all of them: the floor of a server that does so;
//   - with -pings each ping of a client is answered by one, in one write(2): the floor of the keep-alive of SignalR where server and client
//     ping at one interval. The socket is in the caches, and the answer carries TCP's acknowledgement.
//
// It is no SignalR server. It answers negotiate and the hub handshake so that loadgen runs against it unchanged, then it
// compares bytes with what loadgen sends in JSON or MessagePack: Echo, Broadcast, Join and Publish written in exactly that way, ping, close.
// Whatever else comes, a socket that does not take a whole write, or a second Join, ends the connection with a line on standard
// error, so that a figure cannot come from a run that was not served. It looks at no clock, keeps no limits and knows no user, and
// never pings of its own accord. It must only be reached by loadgen.
package main
