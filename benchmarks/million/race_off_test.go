//go:build !race

package main

const simulatedConnections = 20_000
