//go:build !race

package method

const raceDetector = false
