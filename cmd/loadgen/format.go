package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// formatInt groups the digits by commas.
func formatInt(v int64) string {
	s := strconv.FormatInt(v, 10)
	sign := ""
	if v < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// formatNumber has three digits, or the whole number when it is large.
func formatNumber(v float64) string {
	a := math.Abs(v)
	switch {
	case v == math.Trunc(v) || a >= 1000:
		return formatInt(int64(math.Round(v)))
	case a >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 10:
		return trimZeros(strconv.FormatFloat(v, 'f', 1, 64))
	case a >= 0.1:
		return trimZeros(strconv.FormatFloat(v, 'f', 2, 64))
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}

// formatTick is formatNumber for the narrow margin of a chart.
func formatTick(v float64) string {
	switch a := math.Abs(v); {
	case a >= 1e9:
		return scaled(v, 1e9, "G")
	case a >= 1e6:
		return scaled(v, 1e6, "M")
	}
	return formatNumber(v)
}

// formatDuration writes nanoseconds with three digits and their unit.
func formatDuration(ns float64) string {
	switch a := math.Abs(ns); {
	case a == 0:
		return "0"
	case a < 999.5:
		return scaled(ns, 1, "ns")
	case a < 999.5e3:
		return scaled(ns, 1e3, "µs")
	case a < 999.5e6:
		return scaled(ns, 1e6, "ms")
	}
	return scaled(ns, 1e9, "s")
}

func scaled(v, unit float64, name string) string {
	v /= unit
	digits := 0
	switch a := math.Abs(v); {
	case a >= 99.95:
	case a >= 9.995:
		digits = 1
	default:
		digits = 2
	}
	s := strconv.FormatFloat(v, 'f', digits, 64)
	if digits > 0 {
		s = trimZeros(s)
	}
	return s + " " + name
}

// trimZeros shortens a fraction.
func trimZeros(s string) string { return strings.TrimRight(strings.TrimRight(s, "0"), ".") }

// formatBytes uses binary units.
func formatBytes(v float64) string {
	switch a := math.Abs(v); {
	case a < 1024:
		return fmt.Sprintf("%.0f B", v)
	case a < 1<<20:
		return scaled(v, 1<<10, "KiB")
	case a < 1<<30:
		return scaled(v, 1<<20, "MiB")
	}
	return scaled(v, 1<<30, "GiB")
}
