package method_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/hubrt/method"
)

type hubContext struct {
	context.Context
	User string
}

type Chat struct{}

func (Chat) Greet(c *hubContext, name string, times int) (string, error) {
	if times < 1 {
		return "", errors.New("nobody greets less than once")
	}
	return fmt.Sprintf("%s greets %s %d times", c.User, name, times), nil
}

func Example() {
	var table method.Table[*hubContext]
	if err := table.AddValue(Chat{}, nil); err != nil {
		fmt.Println(err)
	}
	if err := table.Add("Bad", func(chan<- int) {}, method.Options{}); err != nil {
		fmt.Println(err)
	}

	m := table.Lookup([]byte("greet"))
	var args method.Args // kept and used again for the next call
	if err := m.Bind(codec.JSON, []byte(`["Bob",3]`), 2, &args); err != nil {
		fmt.Println(err)
	}
	result, err := m.Call(&hubContext{context.Background(), "Ann"}, nil, &args)
	if err != nil {
		fmt.Println(method.ErrorName(err), err)
	}
	out, err := result.Append(nil, codec.JSON)
	fmt.Println(string(out), err)
	fmt.Println(m.Bind(codec.JSON, []byte(`["Bob"]`), 1, &args))
	// Output:
	// hub method "Bad": parameter 1 (chan<- int) cannot be an argument: chan<- int has no encoding
	// "Ann greets Bob 3 times" <nil>
	// Invocation provides 1 argument(s) but target expects 2.
}
