//go:build race

package main

// simulatedConnections are fewer under the race detector, which makes attaching them ten times slower.
const simulatedConnections = 8000
