package hubrt

// shrink returns s, in less memory if it has become much shorter than it was.
func shrink[T any](s []T) []T {
	n := cap(s)
	if n <= 64 || len(s) >= n/4 {
		return s
	}
	return append(make([]T, 0, n/2), s...)
}
