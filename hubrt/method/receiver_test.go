package method

import (
	"reflect"
	"runtime"
	"testing"
)

// The linker may keep a type's methods and drop those of its pointer type: then there is no direct plan, and reflection serves.
func TestWithoutPointerMethods(t *testing.T) {
	t.Parallel()
	v := reflect.ValueOf(byValue{"> "})
	r := receiver{typ: reflect.TypeFor[*struct{}](), ptr: reflect.ValueOf(new(struct{})).UnsafePointer()}
	fast := r.function(v.Type().Method(0))
	if fast.fn != nil {
		t.Fatal("made a function of a method that is not there")
	}
	var tab table
	b := batch[*hubContext]{table: &tab}
	b.add("Echo", v.Method(0), fast, Options{})
	if err := b.commit(); err != nil {
		t.Fatal(err)
	}
	m := tab.Lookup([]byte("echo"))
	if isDirect(m) {
		t.Error("a direct plan")
	}
	var a Args
	if got, err := invokeFake(t, m, "x", &a); err != nil || got != "string:> x" {
		t.Errorf("got %s, %v", got, err)
	}
}

// counter is called through its table alone: nothing else keeps it alive.
type counter struct{ parts []*int }

func (c *counter) Add(n int) int {
	c.parts = append(c.parts, &n)
	sum := 0
	for _, p := range c.parts {
		sum += *p
	}
	return sum
}

// The receiver is an ordinary pointer to the collector, and so is all that the method stores in it.
func TestReceiverStaysAlive(t *testing.T) {
	t.Parallel()
	var tab table
	if err := tab.AddValue(&counter{}, nil); err != nil {
		t.Fatal(err)
	}
	m := tab.Lookup([]byte("add"))
	var a Args
	want := 0
	for i := range 50 {
		if i%10 == 0 {
			runtime.GC()
		}
		want += i
		if err := m.Bind(fake{}, []byte{byte('0' + i/10), byte('0' + i%10)}, 1, &a); err != nil {
			t.Fatal(err)
		}
		if r, err := m.Call(testHub, nil, &a); err != nil || r.Any() != want {
			t.Fatalf("got %v, %v; want %d", r.Any(), err, want)
		}
	}
}
