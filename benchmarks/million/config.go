package main

import (
	"errors"
	"flag"
	"fmt"
	"runtime"
	"time"
)

// config is what is simulated.
type config struct {
	n         int
	loops     int
	keepAlive time.Duration
	rounds    int
	keepHead  bool
	progress  func(format string, a ...any)
}

const (
	maxConnections = 10_000_000
	maxRounds      = 1000
	groups         = 100 // each connection is in one of them, so each has 1 % of all
)

func (cfg *config) register(fs *flag.FlagSet) {
	fs.IntVar(&cfg.n, "n", 1_000_000, "connections")
	fs.IntVar(&cfg.loops, "loops", runtime.GOMAXPROCS(0), "event loops")
	fs.DurationVar(&cfg.keepAlive, "keep-alive", 10*time.Second, "interval of the hub's pings, and the time for which idle connections are watched; in whole seconds")
	fs.IntVar(&cfg.rounds, "rounds", 5, "repetitions of each timed step, of which the median counts")
	fs.BoolVar(&cfg.keepHead, "keep-head", false, "keep each connection's HTTP request for the hub's methods, as hubs do by default (HubOptions.DropRequest is false)")
}

// check reports all that is wrong at once.
func (cfg *config) check() error {
	var errs []error
	between := func(name string, v, least, most int) {
		if v < least || v > most {
			errs = append(errs, fmt.Errorf("-%s is %d: want %d to %d", name, v, least, most))
		}
	}
	between("n", cfg.n, groups, maxConnections)
	between("loops", cfg.loops, 1, 1024)
	between("rounds", cfg.rounds, 1, maxRounds)
	if k := cfg.keepAlive; k < time.Second || k > time.Hour || k%time.Second != 0 {
		errs = append(errs, fmt.Errorf("-keep-alive is %v: want whole seconds, 1s to 1h", k))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return enoughMemory(uint64(cfg.n)*perConnection + fixedMemory)
}

const (
	// perConnection is what one connection takes at the peak, with the collector's headroom, the simulated far end and the profile.
	perConnection = 4000
	fixedMemory   = 128 << 20
)
