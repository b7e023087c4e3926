//go:build race

package method

const raceDetector = true
