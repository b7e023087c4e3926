package hubrt

import (
	"log/slog"
	"sync"

	"github.com/spokehub/spoke/hubrt/method"
)

// upload is one stream from the client: a queue of raw items between the loop and the method that reads them. It is that method's method.Source.
type upload struct {
	call   *streaming // constant
	id     string     // constant
	intake *intake    // constant

	more  sync.Cond     // an item or the end has come; its lock is intake.mu
	items ring[*buffer] // under mu
	own   int           // under mu: the first so many are in the stream's own buffer, the others beyond
	ended bool          // under mu: nothing comes behind items
	err   error         // under mu: what has ended it; nil: the client
}

// put adds an item, which it copies. full: the connection has more waiting input than Options.InputBuffer. Loop only.
func (u *upload) put(raw []byte) (full bool) {
	item := getBuffer(len(raw))
	item.b = append(item.b, raw...)
	size := itemSize(item)
	opt := &u.intake.conn.hub().opt
	waiting := int(u.intake.conn.box.waitBytes)
	i := u.intake
	i.mu.Lock()
	defer i.mu.Unlock()
	if u.ended {
		item.free()
		return false
	}
	u.items.push(item)
	if u.own == u.items.len()-1 && u.fits(size) {
		u.own++
		i.own += size
	} else {
		i.over += size
	}
	u.more.Signal()
	return waiting+i.over > opt.InputBuffer
}

// fits says whether one more item has room in the stream's own buffer. Under mu.
func (u *upload) fits(size int) bool {
	opt := &u.intake.conn.hub().opt
	return u.own < opt.StreamBuffer && u.intake.own+size <= opt.InputBuffer
}

// end is the end behind the items that have come; nil: the client has ended the stream. Any goroutine.
func (u *upload) end(err error) {
	u.intake.mu.Lock()
	defer u.intake.mu.Unlock()
	if !u.ended {
		u.ended, u.err = true, err
		u.more.Broadcast()
	}
}

// abort ends the stream and throws away what has come. One that has been read to its end stays as it is, unless late says that its last item is what fails it. Any goroutine.
func (u *upload) abort(err error, late bool) {
	i := u.intake
	i.mu.Lock()
	report := false
	if late || !u.ended || u.items.len() > 0 {
		u.ended, u.err = true, err
		report = u.discard()
		u.more.Broadcast()
	}
	i.mu.Unlock()
	if report {
		i.report()
	}
}

// discard throws the items away; report as in intake.less. Under mu.
func (u *upload) discard() (report bool) {
	i := u.intake
	over := i.over
	for item, ok := u.items.pop(); ok; item, ok = u.items.pop() {
		if u.own > 0 {
			u.own--
			i.own -= itemSize(item)
		} else {
			i.over -= itemSize(item)
		}
		item.free()
	}
	return i.over < over && i.less()
}

// next waits for an item; nil: the stream has ended, because of err. Any goroutine.
func (u *upload) next() (item *buffer, err error) {
	i := u.intake
	i.mu.Lock()
	for u.items.len() == 0 && !u.ended {
		u.more.Wait()
	}
	item, ok := u.items.pop()
	if !ok {
		err = u.err
		i.mu.Unlock()
		return nil, err
	}
	// The first item is in the own buffer: each that leaves it makes room for the first beyond, which may not fit for the bytes of other streams, and then counts as beyond until it is taken.
	over := i.over
	if u.own > 0 {
		u.own--
		i.own -= itemSize(item)
	} else {
		i.over -= itemSize(item)
	}
	for u.own < u.items.len() {
		size := itemSize(u.items.at(u.own))
		if !u.fits(size) {
			break
		}
		u.own++
		i.own += size
		i.over -= size
	}
	report := i.over < over && i.less()
	i.mu.Unlock()
	if report {
		i.report()
	}
	return item, nil
}

// Receive implements method.Source.
func (u *upload) Receive(dst any) (more bool, err error) {
	item, err := u.next()
	if item == nil {
		return false, err
	}
	c := u.call.conn
	h := c.hub()
	err = method.BindItem(c.protocol().Protocol, item.b, dst)
	item.free()
	if err == nil {
		return true, nil
	}
	h.logCall(c.context(), u.call.method.Name, err, slog.LevelDebug)
	failed := &Error{h.describe(textBindItem, err)}
	u.abort(failed, true)
	return false, failed
}

// Done implements method.Source.
func (u *upload) Done() <-chan struct{} { return u.call.ended }

// Go implements method.Source.
func (u *upload) Go(f func()) { u.call.pumps.Go(f) }

// Broken implements method.Source: the call's context ends, and context.Cause says why.
func (u *upload) Broken(err error) { u.call.cancel(err) }

var _ method.Source = (*upload)(nil)
