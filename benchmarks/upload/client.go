package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc64"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"github.com/spokehub/spoke/internal/hubtest"
)

// The names of the protocols.
const (
	jsonName    = "json"
	messagePack = "messagepack"
)

// connect opens a connection and does the handshake.
func connect(addr, protocol string) (net.Conn, error) {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	if err := shake(nc, protocol); err != nil {
		_ = nc.Close()
		return nil, err
	}
	return nc, nil
}

func shake(nc net.Conn, protocol string) error {
	// The server says nothing between its answer to the upgrade and the handshake, so the buffer that reads the answer holds nothing more.
	if err := hubtest.Bare(nc).Upgrade("/hub"); err != nil {
		return err
	}
	if _, err := nc.Write(hubtest.AppendFrame(nil, 1, fmt.Appendf(nil, "{\"protocol\":%q,\"version\":1}\x1e", protocol))); err != nil {
		return err
	}
	_, p, err := hubtest.ReadFrame(nc, nil)
	if err == nil && string(p) != "{}\x1e" {
		err = fmt.Errorf("the handshake is answered with %q", p)
	}
	return err
}

// uploader is the client that sends as fast as it can.
type uploader struct {
	nc     net.Conn
	packed bool
	item   []byte // its first 8 bytes are the item's number
	frame  []byte

	sent atomic.Int64  // any goroutine: bytes of items
	sum  atomic.Uint64 // any goroutine: their checksum
}

func newUploader(addr, protocol string, item int) (*uploader, error) {
	nc, err := connect(addr, protocol)
	if err != nil {
		return nil, err
	}
	u := newSender(nc, protocol, item)
	call := []byte(`{"type":1,"invocationId":"1","target":"Take","arguments":[],"streamIds":["2"]}` + "\x1e")
	if u.packed {
		call = []byte("\x0f\x96\x01\x80\xa11\xa4Take\x90\x91\xa12")
		call[0] = byte(len(call) - 1)
	}
	return u, u.write(call)
}

// newSender is an uploader whose upload has begun.
func newSender(nc net.Conn, protocol string, item int) *uploader {
	u := &uploader{nc: nc, packed: protocol == messagePack, item: make([]byte, item)}
	for i := range u.item {
		u.item[i] = byte(rand.Uint32())
	}
	return u
}

// write sends records in one frame. Its mask is 0, which costs the client nothing and the server as much as another.
func (u *uploader) write(p []byte) error {
	op := byte(0x81)
	if u.packed {
		op = 0x82
	}
	u.frame = append(u.frame[:0], op, 0x80|127)
	u.frame = binary.BigEndian.AppendUint64(u.frame, uint64(len(p)))
	if len(p) < 1<<16 { // the shortest form is demanded
		u.frame = u.frame[:1]
		if len(p) < 126 {
			u.frame = append(u.frame, 0x80|byte(len(p)))
		} else {
			u.frame = binary.BigEndian.AppendUint16(append(u.frame, 0x80|126), uint16(len(p)))
		}
	}
	u.frame = append(append(u.frame, 0, 0, 0, 0), p...)
	_, err := u.nc.Write(u.frame)
	return err
}

// send sends n items.
func (u *uploader) send(n int64) error {
	var rec []byte
	sum := u.sum.Load()
	number := u.sent.Load() / int64(len(u.item))
	for range n {
		binary.BigEndian.PutUint64(u.item, uint64(number))
		number++
		rec = u.appendItem(rec[:0])
		sum = crc64.Update(sum, table, u.item)
		if err := u.write(rec); err != nil {
			return fmt.Errorf("item %d: %w", number, err)
		}
		u.sum.Store(sum)
		u.sent.Add(int64(len(u.item)))
	}
	return nil
}

func (u *uploader) appendItem(b []byte) []byte {
	if !u.packed {
		b = append(b, `{"type":2,"invocationId":"2","item":"`...)
		b = base64.StdEncoding.AppendEncode(b, u.item)
		return append(b, "\"}\x1e"...)
	}
	body := len("\x94\x02\x80\xa12") + 3 + len(u.item)
	b = binary.AppendUvarint(b, uint64(body))
	b = append(b, "\x94\x02\x80\xa12\xc5"...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(u.item)))
	return append(b, u.item...)
}

// finish ends the stream and waits for the call's completion.
func (u *uploader) finish(items int64) error {
	end, want := []byte(`{"type":3,"invocationId":"2"}`+"\x1e"), fmt.Appendf(nil, `{"type":3,"invocationId":"1","result":%d}`, items)
	if u.packed {
		end, want = []byte("\x06\x94\x03\x80\xa12\x02"), []byte("\x95\x03\x80\xa11\x03") // and the number, which the hub has checked item by item
	}
	if err := u.write(end); err != nil {
		return err
	}
	for {
		_ = u.nc.SetReadDeadline(time.Now().Add(time.Minute))
		op, p, err := hubtest.ReadFrame(u.nc, nil)
		if err != nil {
			return fmt.Errorf("the upload's completion: %w", err)
		}
		if bytes.Contains(p, want) {
			return nil
		}
		p = bytes.ReplaceAll(bytes.ReplaceAll(p, []byte(`{"type":6}`+"\x1e"), nil), []byte{2, 0x91, 6}, nil)
		if wsPing := op == 9; !wsPing && len(p) > 0 {
			return fmt.Errorf("got %q, want the upload's completion", p)
		}
	}
}

// caller is the other client: one call after the other.
type caller struct {
	nc    net.Conn
	frame []byte
	buf   [256]byte
}

func newCaller(addr string) (*caller, error) {
	nc, err := connect(addr, jsonName)
	if err != nil {
		return nil, err
	}
	return &caller{nc: nc, frame: hubtest.AppendFrame(nil, 1, []byte(`{"type":1,"invocationId":"1","target":"Echo","arguments":[7]}`+"\x1e"))}, nil
}

var echoed = []byte(`{"type":3,"invocationId":"1","result":7}` + "\x1e")

// call is a call of Echo; it takes so long.
func (c *caller) call() (time.Duration, error) {
	begin := time.Now()
	if _, err := c.nc.Write(c.frame); err != nil {
		return 0, err
	}
	for {
		_ = c.nc.SetReadDeadline(begin.Add(time.Minute))
		_, p, err := hubtest.ReadFrame(c.nc, c.buf[:])
		if err != nil {
			return 0, err
		}
		if bytes.Contains(p, echoed) {
			return time.Since(begin), nil
		}
	}
}
