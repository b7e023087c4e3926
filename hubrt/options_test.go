package hubrt

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/hubrt/method"
	"github.com/spokehub/spoke/limits"
)

func TestOptions(t *testing.T) {
	t.Parallel()
	t.Run("defaults", func(t *testing.T) {
		t.Parallel()
		bubble(t, rigConfig{}, func(r *rig) {
			o := r.hub(nil, Options{}).Options()
			if o.HandshakeTimeout != 15*time.Second || o.KeepAliveInterval != 15*time.Second || o.ClientTimeout != 30*time.Second || o.ClientResultTimeout != 30*time.Second ||
				o.MaxMessage != 32768 || o.InputBuffer != 65536 || o.MaxParallelCalls != 1 || o.MaxGroups != 1000 || len(o.Protocols) != 2 || o.Protocols[0] != codec.JSON || o.Protocols[1] != codec.MessagePack {
				t.Errorf("%+v", o)
			}
		})
	})
	for _, tt := range []struct {
		name string
		opt  Options
		want []string // in one error; nil: it is fine
	}{
		{"zero", Options{}, nil},
		{"all at once", Options{
			HandshakeTimeout: -1, KeepAliveInterval: -2, ClientTimeout: 1 << 62, MaxMessage: -3, InputBuffer: -4, MaxParallelCalls: -5, MaxGroups: -6,
			Rates: limits.Rates{Messages: -7},
		}, []string{"HandshakeTimeout is -1ns", "KeepAliveInterval is -2ns", "ClientTimeout is 1281023h53m38.427387904s: want 0 (default 30s) to 8760h0m0s", "MaxMessage is -3: want 0 (default 32768)",
			"InputBuffer is -4", "MaxParallelCalls is -5", "MaxGroups is -6", "Rates.Messages is -7"}},
		{"stateful reconnect", Options{StatefulBuffer: -1, StatefulMax: 50, DisconnectTimeout: -2}, []string{"StatefulBuffer is -1", "DisconnectTimeout is -2ns"}},
		{"a hard cap below the soft one", Options{StatefulMax: 50_000}, []string{"StatefulMax is 50000: the hard cap must not be below StatefulBuffer, which is 100000"}},
		{"a large soft cap raises the hard one", Options{StatefulBuffer: 5 << 20}, nil},
		{"client results for ever", Options{ClientResultTimeout: -1}, nil},
		{"client results", Options{ClientResultTimeout: 1 << 62}, []string{"ClientResultTimeout is 1281023h53m38.427387904s: want 0 (default 30s) to 8760h0m0s, or less than 0 for none"}},
		{"protocols", Options{Protocols: []codec.Protocol{codec.JSON, nil, codec.JSON, codec.JSON}},
			[]string{"Protocols has 4 entries: want at most 3", "Protocols[1] is nil", `Protocols names "json" twice`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := tt.opt.Validate()
			if (err == nil) != (tt.want == nil) {
				t.Fatalf("got %v", err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\nlacks %q", err, want)
				}
			}
		})
	}
}

type badHooks struct{}

func (badHooks) OnConnected()                {}
func (badHooks) OnDisconnected(string) error { return nil }
func (badHooks) Bad(chan int)                {}

func TestRegistration(t *testing.T) {
	t.Parallel()
	bubble(t, rigConfig{}, func(r *rig) {
		_, err := r.rt.NewHub("bad", badHooks{}, Options{MaxGroups: -1, Methods: map[string]method.Options{"None": {}}})
		for _, want := range []string{
			"hook OnConnected is a func(): want func(*Context) error",
			"hook OnDisconnected is a func(string) error: want func(*Context, error) error",
			"Bad", "None", "MaxGroups",
		} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v\nlacks %q", err, want)
			}
		}
		if _, err := r.rt.NewHub("options", nil, Options{Methods: map[string]method.Options{"Echo": {}}}); err == nil {
			t.Error("options for methods of no value were taken")
		}
		h := r.hub(probe{}, Options{})
		if h.Name() != "test" {
			t.Error(h.Name())
		}
		if err := h.Handle("eCHO", func() {}); err == nil {
			t.Error("a second Echo was taken")
		}
		if err := h.Handle("Two", func() {}, inline, inline); err == nil {
			t.Error("two options were taken")
		}
		handle(t, h, "New", func(a, b string) string { return b + a })
		c := r.connect(h)
		c.send(call1("1", "NEW", `"a"`, `"b"`))
		c.expect(result("1", `"ba"`))
		if err := h.Handle("Late", func() {}); !errors.Is(err, ErrSealed) {
			t.Errorf("got %v", err)
		}
		for name, set := range map[string]func(){"OnConnected": func() { h.OnConnected(nil) }, "OnDisconnected": func() { h.OnDisconnected(nil) }} {
			func() {
				defer func() {
					if err, _ := recover().(error); !errors.Is(err, ErrSealed) {
						t.Errorf("%s was taken late", name)
					}
				}()
				set()
			}()
		}
		c.leave()
	})
}
