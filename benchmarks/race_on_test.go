//go:build race

package benchmarks

// raceDetector: it empties pools at random, so allocations cannot be counted.
const raceDetector = true
