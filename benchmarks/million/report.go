package main

import (
	"bytes"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// The bars. The times are for a million and are scaled with the number of connections.
const (
	barHeap    = 400.0 // bytes per connection
	barWalk    = 30 * time.Millisecond
	barCollect = 200 * time.Millisecond
)

// print writes the result for people.
func (r *result) print(w io.Writer) error {
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	head := "dropped once connected"
	if r.KeepHead {
		head = "kept"
	}
	fmt.Fprintf(t, "%d connections on %d loops, in memory; each with a user id, a group, rate limits, timers; request %s\n", r.Connections, r.Loops, head)
	fmt.Fprintf(t, "%s %s, %d processors\n\n", r.Go, r.Platform, r.Processors)

	fmt.Fprintf(t, "live heap, bytes per connection\tbytes\tobjects\n")
	for _, p := range r.Parts {
		if p.Name != simulated {
			fmt.Fprintf(t, "  %s\t%.1f\t%.2f\n", p.Name, p.Bytes, p.Objects)
		}
	}
	fmt.Fprintf(t, "  not in the profile\t%.1f\n", r.Other)
	fmt.Fprintf(t, "total\t%.1f\t%s\n", r.Heap, verdict(r.Heap, barHeap, "%.0f bytes"))
	fmt.Fprintf(t, "beside it, the simulated far end\t%.1f\n", r.Simulated)
	fmt.Fprintf(t, "resident, with the far end and room to collect\t%.1f\n\n", r.Resident)

	n := float64(r.Connections)
	line := func(name string, c cost, each float64, note string) {
		fmt.Fprintf(t, "%s\t%s\t%s CPU\t%.0f ns of CPU each%s\n", name, short(c.Wall), short(c.CPU), float64(c.CPU)/each, note)
	}
	line("attach all (HTTP, upgrade, handshake, hook, join)", r.Attach, n, "")
	line("broadcast to all", r.Broadcast, n, "")
	line(fmt.Sprintf("%d broadcasts at once", burstLength), r.Burst, burstLength*n, " delivery")
	line(fmt.Sprintf("to a group of %d", r.Members), r.Group, float64(r.Members), "")
	line("a ping from every client", r.Pinged, n, ", the client's part included")
	line("a ping to all, due in one second", r.Herd, n, "")
	line("all idle for an interval of the keep-alive", r.Idle, n, fmt.Sprintf("; longest time without a look at the sockets %s", short(time.Duration(r.LagMax*float64(time.Second)))))
	line("end of all, by reset", r.Drop, n, fmt.Sprintf("; %.1f bytes of heap each left", r.Left))

	scale := n / 1e6
	fmt.Fprintf(t, "walk over all\t%s\t%s\n", short(r.Walk.Wall), verdict(float64(r.Walk.Wall)/1e6, float64(barWalk)/1e6*scale, "%.1f ms"))
	fmt.Fprintf(t, "full collection\t%s\t%s CPU\t%s\n", short(r.GC.Wall), short(r.GC.CPU), verdict(float64(r.GC.CPU)/1e6, float64(barCollect)/1e6*scale, "%.1f ms of CPU"))
	fmt.Fprintf(t, "the same without connections\t%s\t%s CPU\twhat the process and the far end's memory take\n", short(r.GCEmpty.Wall), short(r.GCEmpty.CPU))
	fmt.Fprintf(t, "longest pause\t%s\n", short(r.GC.Pause))
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := b.WriteTo(w)
	return err
}

// verdict says whether a figure keeps its bar.
func verdict(v, bar float64, format string) string {
	limit := fmt.Sprintf(format, bar)
	if v <= bar {
		return "bar " + limit + ": met"
	}
	return fmt.Sprintf("bar %s: missed, %.2f times it", limit, v/bar)
}

// short is d with three digits.
func short(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(100 * time.Nanosecond).String()
}
