package main

import (
	"math"
	"runtime"
	"slices"
	"strings"
)

// Which part of a connection an allocation belongs to is read from the heap profile: of the functions on the stack, from the
// allocation outwards, the first that is listed here decides.
const module = "github.com/spokehub/spoke/"

var partOf = []struct{ function, part string }{
	{"engine.(*slab).grow", "engine: slot and deadline"},
	{"engine.(*buffers).", "engine: pooled buffers"},
	{"engine.(*Loop).queue", "engine: pooled queues"},
	{"engine.(*memory).register", simulated},
	{"engine.(*memory).report", simulated},
	{"engine.(*Engine).DialSink", simulated},
	{"engine.(*Sink).", simulated},
	{"endpoint.(*index).", "endpoint: registry by token"},
	{"endpoint.(*registry).", webSocket},
	{"endpoint.(*Endpoint).serve", "request head"},
	{"hubrt.(*Conn).alter", "hubrt: request, items, context.Context"},
	{"hubrt.(*roster).", "hubrt: roster"},
	{"hubrt.(*shard).takeAt", "hubrt: meters of the rate limits"},
	{"hubrt.(*Conn).mailbox", "hubrt: mailboxes"},
	{"hubrt.(*registry).", "hubrt: registry by id"},
	{"hubrt.(*users).", "hubrt: user index"},
	{"hubrt.(*shard).join", "hubrt: groups' lists"},
	{"hubrt.(*Conn).join", "hubrt: groups' lists"},
	{"hubrt.(*Conn).setUser", "hubrt: user id"},
	{"benchmarks/million.authenticate", "identity, as the Authenticator made it"},
	{"benchmarks/million.", simulated},
}

// simulated is what only the simulation has. It is no cost of a connection.
const simulated = "(the simulated far end)"

// webSocket is one object for all jobs.
const webSocket = "connection: token, WebSocket, hub, group"

// part is what one part of all connections takes.
type part struct {
	Name    string  `json:"name"`
	Bytes   float64 `json:"bytes"`   // per connection
	Objects float64 `json:"objects"` // per connection
}

// usage is live bytes and objects by part.
type usage map[string][2]float64

// profileRate is the mean distance of the samples in bytes. It makes some 50,000 of them if a connection takes 1,000 bytes, so that a
// part of 16 bytes is right to a twentieth, and neither the attaching nor the collector is slowed down.
func profileRate(n int) int { return max(n/50, 1) }

// heapByPart reads the profile as of the last completed collection.
func heapByPart() usage {
	var records []runtime.MemProfileRecord
	for n, ok := runtime.MemProfile(nil, false); !ok; {
		records = make([]runtime.MemProfileRecord, n+64)
		n, ok = runtime.MemProfile(records, false)
		records = records[:min(n, len(records))]
	}
	u := make(usage)
	for i := range records {
		r := &records[i]
		if r.InUseObjects() == 0 {
			continue
		}
		bytes, objects := scaled(float64(r.InUseBytes()), float64(r.InUseObjects()))
		name := partOfStack(r.Stack())
		sum := u[name]
		u[name] = [2]float64{sum[0] + bytes, sum[1] + objects}
	}
	return u
}

// scaled is what a sample stands for: an allocation of size s is sampled with a probability of 1 - exp(-s/rate).
func scaled(bytes, objects float64) (float64, float64) {
	rate := float64(runtime.MemProfileRate)
	if rate <= 1 {
		return bytes, objects
	}
	scale := 1 / (1 - math.Exp(-bytes/objects/rate))
	return bytes * scale, objects * scale
}

func partOfStack(stack []uintptr) string {
	frames := runtime.CallersFrames(stack)
	first := ""
	for {
		f, more := frames.Next()
		if name, ok := strings.CutPrefix(f.Function, module); ok {
			for _, p := range partOf {
				if strings.HasPrefix(name, p.function) {
					return p.part
				}
			}
			if first == "" {
				first = "other: " + name
			}
		} else if first == "" && strings.HasPrefix(f.Function, "main.") { // a program's package has no path
			return partOfMain(f.Function)
		}
		if !more {
			break
		}
	}
	if first == "" {
		return "runtime and standard library"
	}
	return first
}

// partOfMain looks a function of the program itself up.
func partOfMain(function string) string {
	name := "benchmarks/million." + strings.TrimPrefix(function, "main.")
	for _, p := range partOf {
		if strings.HasPrefix(name, p.function) {
			return p.part
		}
	}
	return simulated
}

// minus is the parts per connection that have come since before, the largest first, but for what is less than a byte each.
func (u usage) minus(before usage, n int) []part {
	var parts []part
	for name, now := range u {
		was := before[name]
		p := part{name, (now[0] - was[0]) / float64(n), (now[1] - was[1]) / float64(n)}
		if math.Abs(p.Bytes) >= 0.5 {
			parts = append(parts, p)
		}
	}
	slices.SortFunc(parts, func(a, b part) int {
		switch {
		case a.Bytes > b.Bytes:
			return -1
		case a.Bytes < b.Bytes:
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return parts
}
