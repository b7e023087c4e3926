package main

import "testing"

// A ping is answered by one, among other answers in their order; without -pings by none.
func TestPings(t *testing.T) {
	t.Parallel()
	for _, pings := range []bool{true, false} {
		addr, log, stop := startWith(t, false, pings)
		c := open(t, addr)
		if pings {
			c.want(`{"type":6}`) // open has sent one
		}
		c.say(call("7", "Echo", `"a"`), `{"type":6}`, call("8", "Echo", `"b"`))
		c.want(`{"type":3,"invocationId":"7","result":"a"}`)
		if pings {
			c.want(`{"type":6}`)
		}
		c.want(`{"type":3,"invocationId":"8","result":"b"}`)
		stop()
		if log.Len() > 0 {
			t.Errorf("it says %q", log)
		}
	}
}
