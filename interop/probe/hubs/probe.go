package hubs

import (
	"errors"
	"math"
	"strings"
	"time"

	"github.com/spokehub/spoke"
)

// maxText bounds what Text and CallMany are asked for, and maxWait what Sleep and CallLater are.
const (
	maxText = 1 << 20
	maxWait = time.Minute
)

// Probe has the probe methods; those with streams are in streams.go.
type Probe struct{}

// Echo returns its argument, null included.
func (Probe) Echo(text *string) *string { return text }

// EchoAny returns its argument as it came: equal members, digits and all.
func (Probe) EchoAny(value Verbatim) Verbatim { return value }

// EchoComplex returns its argument, null included.
func (Probe) EchoComplex(value *Complex) *Complex { return value }

// Add returns the sum, which wraps around as .NET's does.
func (Probe) Add(a, b int32) int32 { return a + b }

// Nothing has no result.
func (Probe) Nothing() {}

// Null returns null.
func (Probe) Null() *string { return nil }

// Text returns n letters a.
func (Probe) Text(n int) (string, error) {
	if n < 0 || n > maxText {
		return "", spoke.Errorf("Text: %d letters: want 0 to %d", n, maxText)
	}
	return strings.Repeat("a", n), nil
}

// ComplexValue returns an object with a value of each kind.
func (Probe) ComplexValue() Complex {
	name := `n<&>é"`
	return Complex{
		Name: &name, Value: 42, When: When{time.Date(2002, 4, 1, 10, 20, 15, 0, time.UTC), true}, Bytes: []byte{1, 2, 3},
		ID: UUID{0, 1, 2, 3, 4, 5, 6, 7, 7, 6, 5, 4, 3, 2, 1, 0}, Color: Green,
	}
}

// NotANumber returns a number that JSON does not have.
func (Probe) NotANumber() float64 { return math.NaN() }

// Loop contains itself.
type Loop struct {
	Self *Loop `json:"self"`
}

// Endless returns an object that contains itself.
func (Probe) Endless() *Loop {
	l := &Loop{}
	l.Self = l
	return l
}

// Original is called "renamed" on the wire.
func (Probe) Original() string { return "renamed" }

// Secret is only for users.
func (Probe) Secret() string { return "secret" }

// Fail fails with an error whose text only detailed errors show.
func (Probe) Fail(text string) error { return &invalidOperation{text} }

// FailHub fails with an error whose text always reaches the client.
func (Probe) FailHub(text string) error { return hubError(text) }

// FailMyHub fails with a kind of HubError that has a name of its own.
func (Probe) FailMyHub(text string) error { return &myHubError{&spoke.HubError{Text: text}} }

// CallMe calls the caller with a value of each kind.
func (Probe) CallMe(c *spoke.Context, text *string) error {
	return c.Clients().Caller().Send("message", text, 1, true, nil)
}

// CallTarget calls a method of the caller.
func (Probe) CallTarget(c *spoke.Context, target string, text *string) error {
	return c.Clients().Caller().Send(target, text)
}

// CallMany calls the caller n times.
func (Probe) CallMany(c *spoke.Context, n int) error {
	if n < 0 || n > maxText {
		return spoke.Errorf("CallMany: %d calls: want 0 to %d", n, maxText)
	}
	for i := 1; i <= n; i++ {
		if err := c.Clients().Caller().Send("message", i); err != nil {
			return err
		}
	}
	return nil
}

// CallLater returns at once and calls that client after ms milliseconds, if it is still there.
func (Probe) CallLater(c *spoke.Context, ms int, text *string) error {
	wait, err := duration(ms)
	if err != nil {
		return err
	}
	to := c.Clients().Caller()
	// The only argument is a text, which can always be encoded; to a client that has gone it is sent nowhere.
	time.AfterFunc(wait, func() { _ = to.Send("message", text) })
	return nil
}

// AbortMe ends the connection.
func (Probe) AbortMe(c *spoke.Context) { c.Abort() }

// Id is the public connection id.
func (Probe) Id(c *spoke.Context) string { return c.ConnectionID() } //nolint:staticcheck // the wire's name

// User is the user id, null for nobody.
func (Probe) User(c *spoke.Context) *string {
	if c.User() == nil {
		return nil
	}
	id := c.UserID()
	return &id
}

// Who is the name of the hub's user, the user id, and the name of the user of the current HTTP request.
func (Probe) Who(c *spoke.Context) string {
	name := ""
	if user := c.User(); user != nil {
		name = user.Name
	}
	// On WebSockets the current request is the one that the connection began with, so its user is the hub's.
	return name + "|" + c.UserID() + "|" + name
}

// Header is a header of the request that the connection began with.
func (Probe) Header(c *spoke.Context, name string) string { return c.Request().Header.Get(name) }

// Sleep waits for ms milliseconds and returns them.
func (Probe) Sleep(c *spoke.Context, ms int) (int, error) {
	wait, err := duration(ms)
	if err != nil {
		return 0, err
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return ms, nil
	case <-c.Done():
		return 0, c.Err()
	}
}

func duration(ms int) (time.Duration, error) {
	if ms < 0 || ms > int(maxWait/time.Millisecond) {
		return 0, spoke.Errorf("%d ms: want 0 to %d", ms, maxWait/time.Millisecond)
	}
	return time.Duration(ms) * time.Millisecond, nil
}

// AskMe asks the caller for a text. The context that ends with the connection will do: the recordings answer, or go.
func (Probe) AskMe(c *spoke.Context) string {
	text, err := spoke.InvokeClient[string](c, c.Clients().Caller(), "Result")
	if err == nil {
		return "got:" + text
	}
	return nameAndText(err)
}

// nameAndText is an error as the recordings tell of it.
func nameAndText(err error) string {
	name := "error"
	var named interface{ ErrorName() string }
	if errors.As(err, &named) {
		name = named.ErrorName()
	}
	return name + ":" + err.Error()
}
