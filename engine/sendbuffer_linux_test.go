package engine

import (
	"fmt"
	"io"
	"testing"
)

// BenchmarkSendBuffer is why Config.SendBuffer has its default: for some sizes, the rate at which one reader on the same machine
// gets 64 MiB, and how much the kernel takes for a peer that does not read.
func BenchmarkSendBuffer(b *testing.B) {
	for _, size := range []int{64 << 10, 128 << 10, 256 << 10, 512 << 10, -1} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			unpoisoned(b)
			const total = 64 << 20
			f := NewFrame(make([]byte, 64<<10), 0)
			w := start(b, Config{Loops: 1, SendBuffer: size, OutboundMax: 2 * total}, epollBackend)
			refs := make(chan Ref, 1)
			dial := w.serve(func(c *Conn) Handler { refs <- c.Ref(); return &probe{} })
			p := dial()
			defer p.Close()
			r := <-refs
			buf := make([]byte, 256<<10)
			b.SetBytes(total)
			for b.Loop() {
				on(b, r.Loop(), func() {
					for range total / f.Len() {
						r.Conn().Send(f)
					}
				})
				for left := total; left > 0; {
					n, err := p.Read(buf)
					if err != nil {
						b.Fatal(err)
					}
					left -= n
				}
			}
			b.StopTimer()
			stalled := dial()
			defer stalled.Close()
			s := <-refs
			left := 0
			on(b, s.Loop(), func() {
				for range total / f.Len() {
					s.Conn().Send(f)
				}
			})
			for range 20 {
				on(b, s.Loop(), func() { left = s.Conn().Buffered() })
			}
			b.ReportMetric(float64(total-left)/1024, "KiB/stalled")
			on(b, s.Loop(), func() { s.Conn().Reset(Aborted, nil) })
			_, _ = io.Copy(io.Discard, stalled)
		})
	}
}
