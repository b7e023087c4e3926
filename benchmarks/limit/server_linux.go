package main

import (
	"fmt"
	"io"
	"net/netip"

	"golang.org/x/sys/unix"
)

// conn is all that is known about a connection.
type conn struct {
	open   bool
	framed bool   // WebSocket frames come, no HTTP
	ready  bool   // the hub handshake is done
	place  int32  // in all.members
	member int32  // in group.members
	group  *room  // nil: none
	rest   []byte // of a frame or head that has come in part
}

// room is a set of sockets that get the same frames: all, or a group.
type room struct {
	members []int32 // descriptors
	joined  []byte  // with -coalesce: frames of this turn of the loop
}

// server is one loop. Nothing of it is used by another goroutine.
type server struct {
	epoll, listener int
	wake            int // an eventfd that ends the loop; for tests
	coalesce        bool
	pings           bool // a ping is answered by one
	log             io.Writer

	conns  []conn // by descriptor, as many as there may be; pages that no connection has touched take no memory
	tokens int64  // given out
	all    room
	groups map[string]*room
	due    []*room // rooms whose joined is not empty
	dead   []int32 // to close at the end of the turn: lists are being walked

	in  []byte // what is read, for all connections
	out []byte // answers to one read
	msg []byte // the frame that is broadcast
}

const (
	readBuffer = 64 << 10
	maxFiles   = 1 << 20
)

func newServer(at netip.AddrPort, coalesce, pings bool, log io.Writer) (*server, error) {
	s := &server{epoll: -1, wake: -1, coalesce: coalesce, pings: pings, log: log, groups: map[string]*room{}, in: make([]byte, readBuffer)}
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return nil, fmt.Errorf("getrlimit: %w", err)
	}
	s.conns = make([]conn, min(files.Cur, maxFiles))
	var err error
	if s.listener, err = listen(at); err != nil {
		return nil, err
	}
	if s.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err == nil {
		s.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	}
	if err == nil {
		err = watch(s.epoll, s.listener, unix.EPOLLIN)
	}
	if err == nil {
		err = watch(s.epoll, s.wake, unix.EPOLLIN)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// stop ends serve. Any goroutine.
func (s *server) stop() {
	_, _ = unix.Write(s.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0}) // it takes it: the counter is far from full
}

func (s *server) close() {
	for fd := range s.conns {
		if s.conns[fd].open {
			_ = unix.Close(fd)
		}
	}
	for _, fd := range []int{s.wake, s.epoll, s.listener} {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}

// serve is the loop.
func (s *server) serve() error {
	defer s.close()
	events := make([]unix.EpollEvent, 1024)
	for {
		n, err := poll(s.epoll, events)
		if err != nil {
			return fmt.Errorf("epoll_wait: %w", err)
		}
		for i := range events[:n] {
			switch fd := events[i].Fd; int(fd) {
			case s.listener:
				if err := s.accept(); err != nil {
					return err
				}
			case s.wake:
				return nil
			default:
				s.receive(fd, events[i].Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0)
			}
		}
		s.flush()
		s.bury()
	}
}

func (s *server) accept() error {
	for {
		fd, e := accept(s.listener)
		switch e {
		case 0:
		case unix.EAGAIN:
			return nil
		case unix.EINTR, unix.ECONNABORTED:
			continue
		default:
			return fmt.Errorf("accept4: %w", e)
		}
		if fd >= len(s.conns) {
			return fmt.Errorf("more than %d files are open", maxFiles)
		}
		s.conns[fd] = conn{open: true, rest: s.conns[fd].rest[:0]}
		if err := watch(s.epoll, fd, unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLET&(1<<32-1)); err != nil {
			return err
		}
	}
}

// receive reads a socket until it is empty, and answers. When the peer has ended there is an end to read behind the last bytes,
// and no edge comes for it.
func (s *server) receive(fd int32, ended bool) {
	c := &s.conns[fd]
	for c.open {
		n, e := read(fd, s.in)
		if e == unix.EAGAIN || e == unix.EINTR {
			return
		}
		if n <= 0 || e != 0 {
			s.drop(fd, "")
			return
		}
		p := s.in[:n]
		if len(c.rest) > 0 {
			c.rest = append(c.rest, p...)
			p = c.rest
		}
		s.out = s.out[:0]
		used := s.handle(fd, c, p)
		c.rest = append(c.rest[:0], p[used:]...)
		if len(s.out) > 0 {
			s.send(fd, s.out)
		}
		if n < len(s.in) && !ended {
			return
		}
	}
}

// handle handles what has come whole, and says how much that was.
func (s *server) handle(fd int32, c *conn, p []byte) (used int) {
	for c.open && used < len(p) {
		var n int
		if c.framed {
			n = s.frame(fd, c, p[used:])
		} else {
			n = s.request(fd, c, p[used:])
		}
		if n == 0 {
			break
		}
		used += n
	}
	return used
}

// send is one write(2).
func (s *server) send(fd int32, p []byte) {
	if n, e := write(fd, p); n != len(p) || e != 0 {
		s.refuse(fd, n, len(p), e)
	}
}

func (s *server) refuse(fd int32, n, want int, e unix.Errno) {
	switch {
	case e == unix.EPIPE || e == unix.ECONNRESET:
		s.drop(fd, "")
	case e != 0 && e != unix.EAGAIN:
		s.drop(fd, "write: "+e.Error())
	default:
		s.drop(fd, fmt.Sprintf("the socket is full: it took %d of %d bytes, and this server keeps nothing", max(n, 0), want))
	}
}

// broadcast sends a frame to every member, now or at the end of the turn.
func (s *server) broadcast(r *room, frame []byte) {
	if !s.coalesce {
		for _, fd := range r.members {
			s.send(fd, frame)
		}
		return
	}
	if len(r.joined) == 0 {
		s.due = append(s.due, r)
	}
	r.joined = append(r.joined, frame...)
}

// flush sends what the broadcasts of this turn have joined.
func (s *server) flush() {
	for _, r := range s.due {
		for _, fd := range r.members {
			s.send(fd, r.joined)
		}
		r.joined = r.joined[:0]
	}
	s.due = s.due[:0]
}

// drop marks a connection as ended, and says why if that is not usual. bury closes it.
func (s *server) drop(fd int32, why string) {
	c := &s.conns[fd]
	if !c.open {
		return
	}
	if why != "" {
		fmt.Fprintf(s.log, "limit: connection %d: %s\n", fd, why)
	}
	c.open = false
	s.dead = append(s.dead, fd)
}

// bury takes the ended connections out of the lists.
func (s *server) bury() {
	for _, fd := range s.dead {
		c := &s.conns[fd]
		if c.ready {
			last := s.all.remove(c.place)
			s.conns[last].place = c.place
		}
		if c.group != nil {
			last := c.group.remove(c.member)
			s.conns[last].member = c.member
			c.group = nil
		}
		_ = unix.Close(int(fd)) // a socket's: there is nothing to be done about it
	}
	s.dead = s.dead[:0]
}

func (r *room) add(fd int32) (place int32) {
	r.members = append(r.members, fd)
	return int32(len(r.members) - 1)
}

// remove puts the last member in the place of another, and returns the last one.
func (r *room) remove(place int32) (last int32) {
	n := len(r.members) - 1
	last = r.members[n]
	r.members[place] = last
	r.members = r.members[:n]
	return last
}
