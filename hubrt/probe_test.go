package hubrt

import (
	"errors"
	"math"
	"runtime"
	"time"
)

// probe is a hub with the methods that the tests need; the recorded exchanges know them by these names.
type probe struct{}

func (probe) Echo(s string) string      { return s }
func (probe) Add(a, b int32) int32      { return a + b }
func (probe) Nothing()                  {}
func (probe) NotANumber() float64       { return math.NaN() }
func (probe) Panic()                    { panic("secret words") }
func (probe) Goexit()                   { runtime.Goexit() }
func (probe) Fail(text string) error    { return invalidOperation(text) }
func (probe) Plain(text string) error   { return errors.New(text) }
func (probe) FailHub(text string) error { return Errorf("%s", text) }
func (probe) FailMyHub(text string) error {
	return &myHubError{Errorf("%s", text)}
}
func (probe) Wrapped(text string) error {
	return errors.Join(errors.New("for the log"), Errorf("%s", text))
}
func (probe) Secret() string { return "for users" }
func (probe) Sleep(ms int) int {
	time.Sleep(time.Duration(ms) * time.Millisecond)
	return ms
}
func (probe) AbortMe(c *Context)               { c.Abort() }
func (probe) ID(c *Context) string             { return c.ConnectionID() }
func (probe) User(c *Context) string           { return c.UserID() }
func (probe) Join(c *Context, g string) error  { return c.Join(g) }
func (probe) Leave(c *Context, g string) error { return c.Leave(g) }
func (probe) CallMe(c *Context, m string) error {
	return c.Clients().Caller().Send("message", m, 1, true, nil)
}
func (probe) CallMany(c *Context, n int) error {
	for i := range n {
		if err := c.Clients().Caller().Send("message", i+1); err != nil {
			return err
		}
	}
	return nil
}
func (probe) Publish(c *Context, g, x string) error {
	return c.Clients().Group(g).Send("message", x)
}
func (probe) PublishOthers(c *Context, g, x string) error {
	return c.Clients().OthersInGroup(g).Send("message", x)
}
func (probe) Broadcast(c *Context, x string) error { return c.Clients().All().Send("message", x) }
func (probe) Others(c *Context, x string) error    { return c.Clients().Others().Send("message", x) }
func (probe) Tell(c *Context, id, x string) error  { return c.Clients().Client(id).Send("message", x) }
func (probe) TellUser(c *Context, id, x string) error {
	return c.Clients().User(id).Send("message", x)
}

// invalidOperation is an error with a name of .NET's.
type invalidOperation string

func (e invalidOperation) Error() string     { return string(e) }
func (e invalidOperation) ErrorName() string { return "InvalidOperationException" }

// HubError is what the type is called where users meet it; a field called Error would hide the method.
type HubError = Error

// myHubError is a kind of Error.
type myHubError struct{ *HubError }

func (e *myHubError) ErrorName() string { return "MyHubException" }
