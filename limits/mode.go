package limits

import (
	"fmt"
	"strconv"
)

// Mode says what happens to a client that is over its rate. As a flag it is set with flag.TextVar.
type Mode uint8

// The modes.
const (
	Wait   Mode = iota // stop reading until tokens are there: TCP slows the client, nothing is lost
	Reject             // an error completion for each invocation over the rate; other records are dropped
	Close              // the connection is closed
)

var modeNames = [...]string{Wait: "wait", Reject: "reject", Close: "close"}

// String is the mode's name: "wait", "reject" or "close".
func (m Mode) String() string {
	if m.valid() {
		return modeNames[m]
	}
	return "Mode(" + strconv.Itoa(int(m)) + ")"
}

func (m Mode) valid() bool { return int(m) < len(modeNames) }

// ParseMode is the reverse of String. Names are lower-case.
func ParseMode(s string) (Mode, error) {
	for m, name := range modeNames {
		if s == name {
			return Mode(m), nil
		}
	}
	return Wait, fmt.Errorf("limits: unknown mode %.40q: want wait, reject or close", s)
}

// MarshalText gives the mode's name; it fails for a value that is no mode.
func (m Mode) MarshalText() ([]byte, error) {
	if !m.valid() {
		return nil, fmt.Errorf("limits: %v is no mode: want Wait, Reject or Close", m)
	}
	return []byte(m.String()), nil
}

// UnmarshalText sets the mode by its name; m is unchanged when it fails.
func (m *Mode) UnmarshalText(text []byte) error {
	v, err := ParseMode(string(text))
	if err != nil {
		return err
	}
	*m = v
	return nil
}
