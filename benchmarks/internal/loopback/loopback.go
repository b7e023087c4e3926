// Package loopback has what the programs that start servers on this machine share.
package loopback

import "net"

// FreeAddress is a loopback address that nobody listened on a moment ago. Any goroutine.
func FreeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
