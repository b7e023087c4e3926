package limits

import (
	"errors"
	"fmt"
	"math"
)

// The ranges of Rates. They keep the arithmetic of the buckets exact in 64 bits.
const (
	MinMessages      = 0.001     // records a second, and the step: rates are rounded to a multiple of it
	MaxMessages      = 1_000_000 // records a second
	MaxMessagesBurst = 1_000_000 // records
	MinBytes         = 1         // bytes a second, and the step
	MaxBytes         = 1 << 33   // bytes a second (8 GiB)
	MaxBytesBurst    = 1 << 30   // bytes (1 GiB)
)

// Rates configures the two buckets of a connection. A rate of 0 is off, and its burst must then be 0 too.
type Rates struct {
	Messages      float64 // records a second, 0.001 to 1,000,000 in steps of 0.001; default 0: off
	MessagesBurst int     // records at once, 1 to 1,000,000; default: one second's worth, at least 1
	Bytes         float64 // bytes a second, 1 to 2^33 in steps of 1; default 0: off
	BytesBurst    int     // bytes at once, the message cap to 2^30; default: one second's worth, at least the message cap
	Mode          Mode    // default Wait
}

// Validate reports everything that is wrong with r at once; each error names the field and its range. maxMessage is the
// message cap in bytes, which the byte burst may not be below: a whole record must fit into a full bucket.
func (r Rates) Validate(maxMessage int) error {
	var errs []error
	if maxMessage < 0 || maxMessage > MaxBytesBurst {
		errs = append(errs, fmt.Errorf("limits: the message cap is %d bytes: want 0 to %d", maxMessage, MaxBytesBurst))
	}
	if r.Messages != 0 && !(r.Messages >= MinMessages && r.Messages <= MaxMessages) { // the negation catches NaN
		errs = append(errs, fmt.Errorf("limits: Rates.Messages is %v: want 0 (off) or %v to %d records a second", r.Messages, MinMessages, MaxMessages))
	}
	if r.MessagesBurst < 0 || r.MessagesBurst > MaxMessagesBurst {
		errs = append(errs, fmt.Errorf("limits: Rates.MessagesBurst is %d: want 0 (one second's worth) or 1 to %d records", r.MessagesBurst, MaxMessagesBurst))
	} else if r.MessagesBurst > 0 && r.Messages == 0 {
		errs = append(errs, fmt.Errorf("limits: Rates.MessagesBurst is %d but Rates.Messages is 0 (off): set both or neither", r.MessagesBurst))
	}
	if r.Bytes != 0 && !(r.Bytes >= MinBytes && r.Bytes <= MaxBytes) {
		errs = append(errs, fmt.Errorf("limits: Rates.Bytes is %v: want 0 (off) or %d to %d bytes a second", r.Bytes, MinBytes, MaxBytes))
	}
	if r.BytesBurst < 0 || r.BytesBurst > MaxBytesBurst || r.BytesBurst > 0 && r.BytesBurst < maxMessage {
		errs = append(errs, fmt.Errorf("limits: Rates.BytesBurst is %d: want 0 (one second's worth) or %d (the message cap) to %d bytes", r.BytesBurst, max(maxMessage, 1), MaxBytesBurst))
	} else if r.BytesBurst > 0 && r.Bytes == 0 {
		errs = append(errs, fmt.Errorf("limits: Rates.BytesBurst is %d but Rates.Bytes is 0 (off): set both or neither", r.BytesBurst))
	}
	if !r.Mode.valid() {
		errs = append(errs, fmt.Errorf("limits: Rates.Mode is %v: want Wait, Reject or Close", r.Mode))
	}
	return errors.Join(errs...)
}

// NewLimiter checks r as Validate does, and prepares it. It returns nil, nil when both rates are off.
func NewLimiter(r Rates, maxMessage int) (*Limiter, error) {
	if err := r.Validate(maxMessage); err != nil {
		return nil, err
	}
	if r.Messages == 0 && r.Bytes == 0 {
		return nil, nil
	}
	l := &Limiter{mode: r.Mode}
	if r.Messages > 0 {
		burst := r.MessagesBurst
		if burst == 0 {
			burst = max(int(math.Ceil(r.Messages)), 1)
		}
		l.messages = bucket{
			rate: uint64(math.Round(r.Messages / MinMessages)),
			full: uint64(burst) * message,
		}
	}
	if r.Bytes > 0 {
		burst := r.BytesBurst
		if burst == 0 {
			burst = min(max(int(math.Ceil(r.Bytes)), maxMessage), MaxBytesBurst)
		}
		l.bytes = bucket{
			rate: uint64(math.Round(r.Bytes)),
			full: uint64(burst) * octet,
		}
	}
	return l, nil
}
