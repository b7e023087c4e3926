//go:build !race

package spoke_test

const raceEnabled = false
