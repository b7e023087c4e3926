package spoke_test

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/spokehub/spoke"
)

// Clock streams to its clients.
type Clock struct{}

// Ticks is an iterator: it needs no goroutine, and shows errors.
func (Clock) Ticks(ctx context.Context, n int) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range n {
			if !yield(i, nil) {
				return // nobody wants more
			}
		}
	}
}

// Times is a channel: it must stop when its context ends, and close the channel.
func (Clock) Times(ctx context.Context) <-chan time.Time {
	ch := make(chan time.Time)
	go func() {
		defer close(ch)
		t := time.NewTicker(time.Second)
		defer t.Stop()
		for {
			select {
			case now := <-t.C:
				select {
				case ch <- now:
				case <-ctx.Done():
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return ch
}

// Store takes streams of its clients.
type Store struct{}

// Save counts what comes.
func (Store) Save(ctx context.Context, name string, parts iter.Seq2[[]byte, error]) (int, error) {
	n := 0
	for part, err := range parts {
		if err != nil {
			return 0, err // the client's error, a part that is none, or the end of the connection
		}
		n += len(part)
	}
	return n, nil
}

// Streams in both directions are registered as any other method.
func Example_streams() {
	srv, err := spoke.New(spoke.Config{Addr: "127.0.0.1:0"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for path, hub := range map[string]any{"/clock": Clock{}, "/store": Store{}} {
		if _, err := srv.MapHub(path, hub); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(srv.Shutdown(context.Background()))
	// Output: <nil>
}
