package spoke_test

import (
	"context"
	"strings"
	"testing"

	"github.com/spokehub/spoke"
	"github.com/spokehub/spoke/codec"
	"github.com/spokehub/spoke/engine"
)

type badHub struct{}

func (badHub) Twice()           {}
func (badHub) TWICE()           {}
func (badHub) Many(...string)   {}
func (badHub) Chan(chan string) {}

// TestHubOptionsAreCopies: each hub has its own copy of the server's options; what it changes, others do not see, nor does what is changed in the Config later.
func TestHubOptionsAreCopies(t *testing.T) {
	t.Parallel()
	cfg := spoke.Config{Addr: "127.0.0.1:0", Engine: engine.Config{Backend: "memory"}}
	cfg.Hub.MaxMessage = 1000
	cfg.Hub.MethodName = spoke.LowerCamel
	cfg.Hub.Methods = map[string]spoke.MethodOptions{"Say": {Name: "tell"}}
	cfg.Hub.AllowedOrigins = []string{"https://a.example"}
	cfg.Hub.Protocols = []codec.Protocol{codec.JSON}
	srv, err := spoke.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Shutdown(context.Background()) })
	cfg.Hub.Methods["None"] = spoke.MethodOptions{}
	cfg.Hub.AllowedOrigins[0], cfg.Hub.Protocols[0] = "", nil

	var first spoke.HubOptions
	if _, err := srv.MapHub("/first", sayer{}, func(o *spoke.HubOptions) {
		if o.MaxMessage != 1000 || o.AllowedOrigins[0] != "https://a.example" {
			t.Errorf("the options do not begin as the server's: %+v", o)
		}
		o.MaxMessage, o.MaxGroups = 2000, 5
		o.Methods["Other"] = spoke.MethodOptions{Name: "another"}
		o.AllowedOrigins[0] = "https://b.example"
		first = *o
	}); err != nil {
		t.Fatal(err)
	}
	second, err := srv.MapHub("/second", sayer{}, func(o *spoke.HubOptions) {
		if o.MaxMessage != 1000 || o.MaxGroups != 0 || len(o.Methods) != 1 || o.AllowedOrigins[0] != "https://a.example" || o.Protocols[0] == nil {
			t.Errorf("the first hub has changed the second one's options: %+v", o)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if second.Options().MaxMessage != 1000 || first.MaxMessage != 2000 {
		t.Errorf("%+v", second.Options())
	}
	if err := second.Handle("TELL", func() {}); err == nil || !strings.Contains(err.Error(), `"tell" is registered`) {
		t.Errorf("the method has not the name that the options give it: %v", err)
	}
	if err := second.Handle("OTHER", func() {}); err == nil || !strings.Contains(err.Error(), `"other" is registered`) {
		t.Errorf("the method has not the name that the function gives it: %v", err)
	}
}

type sayer struct{}

func (sayer) Say()   {}
func (sayer) Other() {}

func TestMapHubErrors(t *testing.T) {
	t.Parallel()
	s, addr := start(t, spoke.Config{}, func(s *spoke.Server) {
		_, err := s.MapHub("/bad", badHub{})
		if err == nil {
			t.Fatal("a hub with bad methods was mapped")
		}
		for _, want := range []string{"/bad", "Many", "Chan", "TWICE"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the error does not name %s: %v", want, err)
			}
		}
		if _, err := s.MapHub("/bad", Room{}, func(o *spoke.HubOptions) { o.MaxMessage = -1; o.MaxParallelCalls = -1 }); err == nil ||
			!strings.Contains(err.Error(), "MaxMessage") || !strings.Contains(err.Error(), "MaxParallelCalls") {
			t.Errorf("bad options: %v", err)
		}
		mapHub(t, s, "/chat", Room{})
		if _, err := s.MapHub("/Chat", Room{}); err == nil || !strings.Contains(err.Error(), "mapped already") {
			t.Errorf("a taken path: %v", err)
		}
	})
	if _, err := s.MapHub("/late", Room{}); err == nil || !strings.Contains(err.Error(), "before the server runs") {
		t.Errorf("mapping after the start: %v", err)
	}
	other, err := spoke.New(spoke.Config{Addr: addr})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Shutdown(context.Background())
	if _, err := other.Listen(); err == nil || !strings.Contains(err.Error(), addr) {
		t.Errorf("listening on a taken address: %v", err)
	}
}
