package main

import (
	"encoding/json"
	"fmt"

	hdr "github.com/HdrHistogram/hdrhistogram-go"
)

// The range of a histogram in nanoseconds, with three digits. What is longer counts as the longest.
const (
	histLowest  = 100
	histHighest = int64(300e9)
	histDigits  = 3
)

// hist is an HdrHistogram of nanoseconds. In JSON it is the format's own compressed base64 text, which other tools read. The
// zero value is empty, and allocates at the first value.
type hist struct{ h *hdr.Histogram }

func (h *hist) record(ns int64) {
	if h.h == nil {
		h.h = hdr.New(histLowest, histHighest, histDigits)
	}
	_ = h.h.RecordValue(min(max(ns, 0), histHighest)) // in range: no error
}

func (h *hist) merge(o *hist) {
	if o.count() == 0 {
		return
	}
	if h.h == nil {
		h.h = hdr.New(histLowest, histHighest, histDigits)
	}
	h.h.Merge(o.h)
}

func (h *hist) reset() {
	if h.h != nil && h.h.TotalCount() > 0 {
		h.h.Reset()
	}
}

func (h *hist) count() int64 {
	if h.h == nil {
		return 0
	}
	return h.h.TotalCount()
}

// at is the value at a percentile, in nanoseconds; 0 when empty.
func (h *hist) at(percentile float64) int64 {
	if h.count() == 0 {
		return 0
	}
	return h.h.ValueAtQuantile(percentile)
}

func (h *hist) max() int64 {
	if h.count() == 0 {
		return 0
	}
	return h.h.Max()
}

func (h *hist) min() int64 {
	if h.count() == 0 {
		return 0
	}
	return h.h.Min()
}

// MarshalJSON implements json.Marshaler.
func (h hist) MarshalJSON() ([]byte, error) {
	if h.count() == 0 {
		return []byte(`""`), nil
	}
	b, err := h.h.Encode(hdr.V2CompressedEncodingCookieBase)
	if err != nil {
		return nil, err
	}
	return json.Marshal(string(b))
}

// UnmarshalJSON implements json.Unmarshaler.
func (h *hist) UnmarshalJSON(p []byte) error {
	var s string
	if err := json.Unmarshal(p, &s); err != nil {
		return err
	}
	h.h = nil
	if s == "" {
		return nil
	}
	d, err := decode(s)
	if err != nil {
		return fmt.Errorf("histogram: %w", err)
	}
	h.h = d
	return nil
}

// decode reads a histogram's text. The library panics on text that is too short or cut off.
func decode(s string) (h *hdr.Histogram, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the text is damaged: %v", p)
		}
	}()
	return hdr.Decode([]byte(s))
}
