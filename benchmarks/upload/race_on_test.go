//go:build race

package main

// raceDetector: it is slow, and has memory of its own.
const raceDetector = true
