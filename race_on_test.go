//go:build race

package spoke_test

// raceEnabled scales the heavy tests down: the race detector makes each connection many times as expensive.
const raceEnabled = true
