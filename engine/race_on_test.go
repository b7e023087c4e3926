//go:build race

package engine

// raceDetector: it makes sync.Pool drop things at random, so allocation counts mean nothing.
const raceDetector = true
