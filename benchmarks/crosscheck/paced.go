package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"
)

// The paced server takes from pauseMin to pauseMax for an answer, whoever asks, which is long against all that the machine and the two
// clients add. So it sets the speed, and two clients that measure well must say the same.
const (
	pauseMin         = 20 * time.Millisecond
	pauseMax         = 60 * time.Millisecond
	pacedConnections = 50
)

// pacedRate is what pacedConnections, each with one call under way, come to if nothing but the pauses takes time.
const pacedRate = float64(pacedConnections) * float64(time.Second) / (float64(pauseMin+pauseMax) / 2)

// pause is how long the n-th answer takes. The pauses of any few answers in a row are spread evenly (the multiples of the golden ratio
// are), so that all runs have the same distribution and connections do not fall into step.
func pause(n int64) time.Duration {
	const golden = 0.6180339887498949
	x := float64(n) * golden
	x -= float64(int64(x))
	return pauseMin + time.Duration(x*float64(pauseMax-pauseMin))
}

// paced is a server that answers negotiate, slowly and with a token that it has not given before.
type paced struct {
	http.Server
	addr     string
	asked    atomic.Int64
	answered atomic.Int64
	done     chan struct{}
}

func servePaced(ctx context.Context) (*paced, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &paced{addr: l.Addr().String(), done: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /bench/negotiate", p.negotiate)
	p.Handler = mux
	p.ReadHeaderTimeout = startTimeout
	go func() {
		defer close(p.done)
		_ = p.Serve(l) // it ends by Close
	}()
	return p, nil
}

// end cuts off what is under way.
func (p *paced) end() {
	_ = p.Close() // the listener's error: it has no other
	<-p.done
}

func (p *paced) negotiate(w http.ResponseWriter, r *http.Request) {
	n := p.asked.Add(1)
	wait := time.NewTimer(pause(n))
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-r.Context().Done():
		return
	}
	w.Header().Set("Content-Type", "application/json")
	body := fmt.Appendf(nil, `{"negotiateVersion":1,"connectionId":"%d","connectionToken":"token-%d","availableTransports":[{"transport":"WebSockets","transferFormats":["Text","Binary"]}]}`, n, n)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	p.answered.Add(1)
	_, _ = w.Write(body) // the client has gone: it counts one less, which is looked at
}

// comparePaced has wrk and loadgen ask the paced server in turn. Rates and median latencies must agree.
func (b *bench) comparePaced(ctx context.Context) error {
	b.say("A server that takes %v to %v for each answer, %d connections, %v, %d rounds in turn; %.0f/s and %v if nothing else took time",
		pauseMin, pauseMax, pacedConnections, b.duration, b.rounds, pacedRate, (pauseMin+pauseMax)/2)
	runs, err := b.inTurns(ctx, pacedConnections, func(ctx context.Context, t *tool) (*measurement, error) {
		p, err := servePaced(ctx)
		if err != nil {
			return nil, err
		}
		defer p.end()
		m, err := t.run(ctx, "http://"+p.addr+"/bench", pacedConnections)
		if err != nil {
			return nil, err
		}
		m.server = p.answered.Load()
		return m, nil
	})
	if runs == nil {
		return err
	}
	return errors.Join(err,
		b.tell(judgePair("Rate", "/s", runs, func(m *measurement) float64 { return m.rate }, b.tolerance)),
		b.tell(judgePair("Median latency", " ms", runs, func(m *measurement) float64 { return float64(m.p50) / 1e6 }, b.tolerance)))
}
