//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package engine

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// socketFile is the file of a unix socket that listens; nil for those without one.
type socketFile struct {
	path string
	info os.FileInfo
}

// newSocketFile remembers which file it is.
func newSocketFile(path string) (*socketFile, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	return &socketFile{path, info}, nil
}

// remove removes the file, unless it is somebody else's by now.
func (f *socketFile) remove() {
	if f == nil {
		return
	}
	if info, err := os.Lstat(f.path); err == nil && os.SameFile(info, f.info) {
		_ = os.Remove(f.path)
	}
}

// clearSocketFile makes way for a unix socket. Abstract names have no file.
func clearSocketFile(path string) (named bool, err error) {
	if path == "" {
		return false, errors.New("the path of the unix socket is empty")
	}
	if path[0] == '@' {
		return false, nil
	}
	return true, clearStale(path)
}

// clearStale removes the file of a unix socket that nobody listens on, and refuses all other files.
func clearStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("the file exists and is no socket: %w", os.ErrExist)
	}
	nc, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		_ = nc.Close()
		return fmt.Errorf("a living process listens on it: %w", unix.EADDRINUSE)
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("the file exists, and whether somebody listens on it cannot be told: %w", err)
	}
	return os.Remove(path)
}

func localAddr(fd int) net.Addr {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		return nil
	}
	switch a := sa.(type) {
	case *unix.SockaddrInet4:
		return &net.TCPAddr{IP: a.Addr[:], Port: a.Port}
	case *unix.SockaddrInet6:
		t := &net.TCPAddr{IP: a.Addr[:], Port: a.Port}
		if v4 := t.IP.To4(); v4 != nil {
			t.IP = v4
		}
		if a.ZoneId != 0 {
			if ifc, err := net.InterfaceByIndex(int(a.ZoneId)); err == nil {
				t.Zone = ifc.Name
			}
		}
		return t
	case *unix.SockaddrUnix:
		return &net.UnixAddr{Name: a.Name, Net: "unix"}
	}
	return nil
}
