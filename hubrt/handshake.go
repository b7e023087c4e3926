package hubrt

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/engine"
)

// maxVersion is the highest version of the hub protocols (wire contract, section 1).
const maxVersion = 2

// handshake looks for the handshake in src and returns how many bytes it has used; 0: more are needed, or it has failed
// (wire contract, section 9).
func (c *Conn) handshake(src []byte) int {
	h := c.hub()
	shake, n, err := codec.ReadHandshakeFrom(src, c.box.searched(), h.opt.MaxMessage)
	switch {
	case errors.Is(err, codec.ErrHandshakeTooLarge):
		c.failHandshake(engine.HandshakeRefused, textHandshakeCanceled, err)
		return 0
	case err != nil:
		c.failHandshake(engine.HandshakeRefused, h.describe(textHandshake, err), err)
		return 0
	case n == 0:
		c.mailbox().scanned = uint32(len(src))
		return 0
	}
	c.box.found()
	proto, text := h.choose(shake, c.is(flagBinary))
	if text != "" {
		c.failHandshake(engine.HandshakeRefused, text, errors.New(text))
		return 0
	}
	c.accept(proto, shake.Version)
	return n
}

// choose finds the protocol, or says why there is none.
func (h *Hub) choose(shake codec.Handshake, binary bool) (proto uint8, text string) {
	for i := 1; i <= len(h.opt.Protocols); i++ {
		if strings.EqualFold(h.protocols[i].Name(), shake.Protocol) {
			proto = uint8(i)
		}
	}
	switch {
	case proto == 0:
		return 0, fmt.Sprintf(textUnknownProtocol, shake.Protocol)
	case shake.Version > maxVersion:
		return 0, fmt.Sprintf(textUnknownVersion, shake.Version, shake.Protocol)
	case h.protocols[proto].Binary() && !binary:
		return 0, fmt.Sprintf(textNoBinary, h.protocols[proto].Name())
	}
	return proto, ""
}

// accept answers the handshake, then begins the hub connection, in the order of wire contract, section 12.1.
func (c *Conn) accept(proto uint8, version int) {
	s := c.shard
	h := s.hub
	s.local.counters.handshakes.Add(1)
	c.proto = h.framed(proto, c.framing)
	c.state = stateOpen
	c.seen = s.loop.Now()
	c.agree(version)
	c.link.Format(c.protocol().Binary())
	if c.state == stateOpen {
		c.control(codec.AppendHandshakeResponse(s.local.scratch(), ""))
	}
	if c.state != stateOpen {
		return
	}
	c.enroll()
	c.startPings()
	if h.connected == nil {
		c.flags |= flagConnected
		c.dropRequest()
		return
	}
	c.flags |= flagConnecting
	c.hook()
}

// failHandshake answers with an error and ends the connection, which has never been one of the hub.
func (c *Conn) failHandshake(r engine.CloseReason, text string, cause error) {
	c.write(codec.AppendHandshakeResponse(c.shard.local.scratch(), text))
	c.refuse(r, cause)
}

// refuse ends a connection before its handshake.
func (c *Conn) refuse(r engine.CloseReason, cause error) {
	if c.state != stateHandshake {
		return
	}
	c.state = stateEnded
	c.release()
	c.link.SetDeadline(0)
	if c.link != nil {
		c.link.End(r, cause)
	}
}

// dropRequest frees the request when the hub does not want it any longer.
func (c *Conn) dropRequest() {
	if c.hub().opt.DropRequest {
		c.alter((*rare).dropRequest)
	}
}
