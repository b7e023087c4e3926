//go:build !race

package hubrt

const raceDetector = false
