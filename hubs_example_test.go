package spoke_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"
	"sync"
	"time"

	"github.com/spokehub/spoke"
	"github.com/spokehub/spoke/engine"
)

// newServer makes a server without sockets, for examples.
func newServer(cfg spoke.Config) (*spoke.Server, func()) {
	cfg.Engine = engine.Config{Backend: "memory"}
	srv, err := spoke.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	return srv, func() {
		if err := srv.Shutdown(context.Background()); err != nil {
			log.Fatal(err)
		}
	}
}

// Table is a hub for a card game.
type Table struct {
	Shuffle func() int `spoke:"shuffleCards,inline"`
}

// Deal asks the caller how many cards are wanted, and waits for ten seconds at most.
func (*Table) Deal(c *spoke.Context, ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	n, err := spoke.InvokeClient[int](ctx, c.Clients().Caller(), "howMany", "cards?")
	switch {
	case errors.Is(err, spoke.ErrDisconnected):
		return "", nil // nobody is there to be told
	case errors.Is(err, spoke.ErrInvocationCanceled):
		return "", spoke.Errorf("you have thought for too long")
	case err != nil:
		return "", err // what the client answered with, as a HubError
	}
	return fmt.Sprintf("%d cards", n), nil
}

// Board is a hub whose clients draw together. What a stroke is, only they know.
type Board struct {
	mu      sync.Mutex
	strokes []spoke.Raw // under mu
}

// Draw shows a stroke to all.
func (b *Board) Draw(c *spoke.Context, stroke spoke.Raw) error {
	if err := stroke.Portable(); err != nil {
		return err // whoever comes later must be able to read it
	}
	b.keep(stroke)
	return c.Clients().All().Send("stroke", stroke)
}

// Strokes are those that the board still has.
func (b *Board) Strokes() []spoke.Raw { return b.kept() }

func (b *Board) keep(stroke spoke.Raw) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.strokes = append(b.strokes, stroke); len(b.strokes) > 1000 {
		b.strokes = slices.Delete(b.strokes, 0, 1)
	}
}

func (b *Board) kept() []spoke.Raw {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.strokes)
}

// A value that is passed on can be looked at all the same.
func ExampleRaw() {
	raw, err := spoke.MessagePackRaw([]byte("\x82\xa4name\xa3ann\xa3pic\xc4\x02\x01\x02"))
	if err != nil {
		log.Fatal(err)
	}
	var who struct {
		Name string `json:"name"`
	}
	err = raw.Bind(&who)
	fmt.Println(who.Name, err)
	fmt.Println(raw)

	notANumber, err := spoke.MessagePackRaw([]byte("\xca\x7f\xc0\x00\x00"))
	fmt.Println(err, notANumber.Portable())
	// Output:
	// ann <nil>
	// {"name":"ann","pic":"AQI="}
	// <nil> NaN cannot be written as JSON
}

// Names of methods: by a tag, by the options, and by a function for all others.
func ExampleServer_MapHub_names() {
	srv, stop := newServer(spoke.Config{})
	defer stop()
	shuffle := func() int { return 52 }
	hub, err := srv.MapHub("/table", &Table{Shuffle: shuffle}, func(o *spoke.HubOptions) {
		o.MethodName = spoke.LowerCamel
		o.Methods = map[string]spoke.MethodOptions{"Deal": {Name: "dealMe", RequireUser: true}}
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(hub.Handle("DEALME", func() {}))
	fmt.Println(hub.Handle("shuffleCards", func() {}))
	// Output:
	// hub method "DEALME": Duplicate definitions of 'DEALME'. Overloading is not supported. ("dealMe" is registered, and names ignore ASCII case.)
	// hub method "shuffleCards": Duplicate definitions of 'shuffleCards'. Overloading is not supported. ("shuffleCards" is registered, and names ignore ASCII case.)
}

// Asking a client from outside of its hub's methods.
func ExampleInvokeClient() {
	srv, stop := newServer(spoke.Config{})
	defer stop()
	hub, err := srv.MapHub("/table", &Table{Shuffle: func() int { return 52 }})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	ready, err := spoke.InvokeClient[bool](ctx, hub.Clients().Client("AAAAAAAAAAAAAAAAAAAAAA"), "areYouReady")
	fmt.Println(ready, err, errors.Is(err, spoke.ErrNotConnected))
	// Output: false Connection 'AAAAAAAAAAAAAAAAAAAAAA' does not exist. true
}

// Middleware for one hub, which gives every call a deadline.
func ExampleHub_Use() {
	srv, stop := newServer(spoke.Config{})
	defer stop()
	hub, err := srv.MapHub("/table", &Table{Shuffle: func() int { return 52 }})
	if err != nil {
		log.Fatal(err)
	}
	hub.Use(func(next spoke.Invoker) spoke.Invoker {
		return func(inv *spoke.Invocation) (any, error) {
			ctx, cancel := context.WithTimeout(inv.Context, 30*time.Second)
			defer cancel()
			inv.Context = ctx
			return next(inv)
		}
	})
}

// Middleware for all hubs, here one that gives every call a deadline and logs what takes long.
func ExampleMiddleware() {
	var cfg spoke.Config
	cfg.Hub.Middleware = []spoke.Middleware{func(next spoke.Invoker) spoke.Invoker {
		return func(inv *spoke.Invocation) (any, error) {
			ctx, cancel := context.WithTimeout(inv.Context, 30*time.Second)
			defer cancel()
			inv.Context = ctx
			begun := time.Now()
			result, err := next(inv)
			if d := time.Since(begun); d > time.Second {
				log.Printf("%s took %v for %s", inv.Method(), d, inv.Caller().ConnectionID())
			}
			return result, err
		}
	}}
	srv, stop := newServer(cfg)
	defer stop()
	hub, err := srv.MapHub("/table", &Table{Shuffle: func() int { return 52 }})
	if err != nil {
		log.Fatal(err)
	}
	// And one for this hub alone, inside the other: names are cut short before a method sees them, and nobody may call at night.
	hub.Use(func(next spoke.Invoker) spoke.Invoker {
		return func(inv *spoke.Invocation) (any, error) {
			if time.Now().Hour() < 6 {
				return nil, spoke.Errorf("closed until six")
			}
			if len(inv.Args) > 0 {
				if name, ok := inv.Args[0].(string); ok && len(name) > 20 {
					inv.Args[0] = name[:20]
				}
			}
			return next(inv)
		}
	})
	hub.UseConnected(func(next func(*spoke.Context) error) func(*spoke.Context) error {
		return func(c *spoke.Context) error {
			if c.User() == nil {
				return spoke.Errorf("members only")
			}
			return next(c)
		}
	})
}
