// Package hubrt is the hub runtime: connections after the transport, handshake, dispatch, clients, groups, workers and hub
// timers. It knows no transport: it sees a Link. Sources: wire contract, sections 8, 9, 12, 13, 16, 17 and 22.
//
// Who runs what: a Conn belongs to its event loop, and everything that a client's bytes lead to happens there, until a method is
// to be run. Methods and hooks run on workers (inline methods on the loop); what they send comes back through the loop's
// queue, so it is seen in the order sent. Group and user memberships are sharded by loop: a loop alone knows and
// walks its members; the directories only say which loops have any.
package hubrt
