package main

// slope is the least-squares slope of y over x; ok false: x does not vary.
func slope(x, y []float64) (v float64, ok bool) {
	n := float64(len(x))
	if len(x) < 2 {
		return 0, false
	}
	var sx, sy float64
	for i := range x {
		sx += x[i]
		sy += y[i]
	}
	mx, my := sx/n, sy/n
	var sxx, sxy float64
	for i := range x {
		sxx += (x[i] - mx) * (x[i] - mx)
		sxy += (x[i] - mx) * (y[i] - my)
	}
	if sxx == 0 {
		return 0, false
	}
	return sxy / sxx, true
}
