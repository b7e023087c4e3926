package hubrt

import "github.com/spokehub/spoke/engine"

// Framing is how a transport wraps the frames that its connections share with others, so that each is made once however many get it.
type Framing uint8

const (
	Messages Framing = iota // one transport message each: RuntimeConfig.AppendHeader, then the records (WebSockets)
	Events                  // one event each: RuntimeConfig.AppendEvent (server-sent events)
	Raw                     // the records alone (long polling)

	framings = 3
)

// framed is the hub's protocol i for connections of a framing. Each framing has the hub's protocols again: [0] is none, then come those of Messages, of Events, of Raw.
func (h *Hub) framed(i uint8, f Framing) uint8 { return i + uint8(f)*uint8(len(h.opt.Protocols)) }

// frame makes the shared frame of one record or several.
func (rt *Runtime) frame(f Framing, binary bool, records []byte) *engine.Frame {
	switch f {
	case Events:
		const around = 32 // of one line in one chunk
		return engine.NewFrame(rt.cfg.AppendEvent(make([]byte, 0, around+len(records)), records), 0)
	case Raw:
		return engine.NewFrame(append([]byte(nil), records...), 0)
	}
	const header = 14 // at most, of a WebSocket message
	b := rt.cfg.AppendHeader(make([]byte, 0, header+len(records)), binary, len(records))
	return engine.NewFrame(append(b, records...), len(b))
}

// joined makes one frame of several of a framing: events follow one another as they are, records become one message.
func (rt *Runtime) joined(f Framing, binary bool, frames []*engine.Frame) *engine.Frame {
	n := 0
	for _, g := range frames {
		n += len(g.Payload())
	}
	const header = 14
	b := make([]byte, 0, header+n)
	if f == Messages {
		b = rt.cfg.AppendHeader(b, binary, n)
	}
	head := len(b)
	for _, g := range frames {
		b = append(b, g.Payload()...)
	}
	return engine.NewFrame(b, head)
}
