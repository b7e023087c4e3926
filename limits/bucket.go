// Package limits holds token buckets, caps and admission rules: pure arithmetic on a passed-in clock.
package limits

import "time"

// Both buckets count whole numbers of a unit so small that a nanosecond at any allowed rate is a whole number of them: nothing is ever rounded,
// so no sequence of calls can make a bucket drift from its rate.
const (
	message = 1_000_000_000_000 // units of a record: rates are thousandths of a record a second, so rate x 1 ns = rate units
	octet   = 1_000_000_000     // units of a byte: rates are bytes a second

	// maxRecord caps what one call is charged for, so that the byte level stays below 2^63 (see bucket.full for the rest).
	maxRecord = 1 << 33

	jitter = time.Second // a step back of the clock that is borne without starting anew
)

// bucket is a prepared rate. The zero value is off.
type bucket struct {
	rate uint64 // units a nanosecond; 0: off
	full uint64 // units that a full bucket holds; at most 2^30 octets or 10^6 messages, about 10^18
}

// Limiter is the prepared, shared form of Rates. Immutable: any goroutine. A nil Limiter lets everything through.
type Limiter struct {
	messages, bytes bucket
	mode            Mode
}

// Mode is what happens to a client that is over its rate.
func (l *Limiter) Mode() Mode {
	if l == nil {
		return Wait
	}
	return l.mode
}

// Buckets is a connection's state: 24 bytes, zero value ready (full at first use). Not for concurrent use.
type Buckets struct {
	last     int64  // ns: the clock at the last Take
	messages uint64 // units missing from a full bucket at last
	bytes    uint64
}

// Take charges one record of n bytes (its framing included) at time now, a clock that counts from any fixed start. ok false: nothing was charged, and
// wait is the time until both buckets have enough; a Take at exactly now + wait succeeds. No allocation, no lock.
//
// A record larger than the byte burst (which cannot be below the message cap, so no legal record is) does not wait for ever: it passes when the
// bucket is full, and is charged whole, so that the bucket is in debt and the rate is kept all the same.
//
// A clock that goes backwards by up to a second gives no tokens until it has caught up with itself, so jitter cannot raise the rate; one that goes back further starts anew from
// there with the tokens it had, so nobody starves. One that jumps forward gives a burst at most.
func (l *Limiter) Take(b *Buckets, now time.Duration, n int) (wait time.Duration, ok bool) {
	if l == nil {
		return 0, true
	}
	var behind time.Duration
	if int64(now) >= b.last {
		elapsed := uint64(now) - uint64(b.last) // unsigned: right even when the signed difference would overflow
		b.messages = l.messages.refill(b.messages, elapsed)
		b.bytes = l.bytes.refill(b.bytes, elapsed)
		b.last = int64(now)
	} else if back := uint64(b.last) - uint64(now); back <= uint64(jitter) {
		behind = time.Duration(back)
	} else {
		b.last = int64(now)
	}

	records := l.messages.cost(message)
	octets := l.bytes.cost(uint64(min(max(n, 0), maxRecord)) * octet)
	wait = max(l.messages.wait(b.messages, records), l.bytes.wait(b.bytes, octets))
	if wait > 0 {
		return wait + behind, false
	}
	b.messages += records
	b.bytes += octets
	return 0, true
}

// Full says whether both buckets are full at time now, so that the zero value would do as well. Any Buckets are full where there is no limiter.
func (l *Limiter) Full(b *Buckets, now time.Duration) bool {
	if l == nil {
		return true
	}
	if int64(now) < b.last {
		return false // a Take would know no better
	}
	elapsed := uint64(now) - uint64(b.last)
	return l.messages.refill(b.messages, elapsed) == 0 && l.bytes.refill(b.bytes, elapsed) == 0
}

// refill is the missing amount after elapsed nanoseconds.
func (k *bucket) refill(missing, elapsed uint64) uint64 {
	if missing == 0 || k.rate == 0 {
		return 0
	}
	if elapsed > missing/k.rate { // then elapsed x rate > missing - rate; below, the product cannot overflow
		return 0
	}
	return missing - elapsed*k.rate
}

// cost is units, or nothing for a bucket that is off.
func (k *bucket) cost(units uint64) uint64 {
	if k.rate == 0 {
		return 0
	}
	return units
}

// wait is the time until units, or for more than a full bucket holds a full bucket, are there: rounded up to a nanosecond.
func (k *bucket) wait(missing, units uint64) time.Duration {
	need := missing + min(units, k.full)
	if need <= k.full {
		return 0
	}
	return time.Duration((need - k.full + k.rate - 1) / k.rate)
}
