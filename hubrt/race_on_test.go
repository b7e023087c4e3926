//go:build race

package hubrt

// raceDetector: it makes sync.Pool drop things at random, so allocations are not counted.
const raceDetector = true
