// Package limits holds token buckets, caps and admission rules: pure arithmetic on a passed-in clock.
package limits

import "time"

// Mode says what happens to a client that is over its rate.
type Mode uint8

// The modes.
const (
	Wait   Mode = iota // stop reading until tokens are there: TCP slows the client, nothing is lost
	Reject             // an error completion for each invocation over the rate; other records are dropped
	Close              // the connection is closed
)

// Rates configures the two buckets of a connection. A rate of 0 is off.
type Rates struct {
	Messages      float64 // records a second
	MessagesBurst int     // default: one second's worth, at least 1
	Bytes         float64 // bytes a second
	BytesBurst    int     // default: one second's worth, at least the message cap
	Mode          Mode
}

// Limiter is the prepared, shared form of Rates. Immutable.
type Limiter struct{}

// NewLimiter checks r; maxMessage is the message cap (the byte burst may not be below it). It returns nil, nil when both rates are off.
func NewLimiter(r Rates, maxMessage int) (*Limiter, error) { panic("contract") }

func (l *Limiter) Mode() Mode { panic("contract") }

// Buckets is a connection's state: at most 24 bytes, zero value ready (full at first use). Not for concurrent use.
type Buckets struct{}

// Take charges one record of n bytes at time now (monotonic, since any fixed start). ok false: nothing was charged, and wait is the time
// until both buckets would have enough. No allocation, no lock.
func (l *Limiter) Take(b *Buckets, now time.Duration, n int) (wait time.Duration, ok bool) {
	panic("contract")
}
