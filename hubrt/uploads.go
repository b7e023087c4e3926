package hubrt

import "github.com/spokehub/spoke/codec"

// uploads are the streams that the client sends, by id (wire contract, section 14). Loop only.
type uploads struct{}

func (u *uploads) empty() bool  { return true }
func (u *uploads) drop(c *Conn) {}

// item takes an item of an upload.
func (c *Conn) item(m *codec.Message) {}

// uploaded takes the end of an upload; false: there is none of that id.
func (c *Conn) uploaded(m *codec.Message) bool { return false }
