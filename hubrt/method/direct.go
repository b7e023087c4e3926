package method

import (
	"context"
	"encoding/json"

	"github.com/spokehub/spoke/codec"
)

// Direct plans call a function of a common signature without reflection: about 30 ns and no allocation, against 250 to 450 ns and
// 2 to 3 allocations by reflection (BenchmarkCall). The set is what chats, tickers and echoes are made of; any other signature works the same, by
// reflection. Methods that take the call's context are not among them: that context costs more than reflection.

// shape tries a function against the signatures with certain arguments and a certain result; nil: it is none of them.
type shape[C context.Context] func(fn callable) invoke[C]

// direct finds the direct plan for fn; nil: there is none.
func direct[C context.Context](fn callable, sig *signature) invoke[C] {
	if fn.fn == nil || sig.call || len(sig.args) >= len(shapes[C]{}) {
		return nil
	}
	for _, try := range shapesOf[C]()[len(sig.args)] {
		if run := try(fn); run != nil {
			return run
		}
	}
	return nil
}

// shapes are ordered by number of arguments.
type shapes[C context.Context] [4][]shape[C]

func shapesOf[C context.Context]() (all shapes[C]) {
	all[0] = []shape[C]{
		void0[C](),
		value0[C](ofString), value0[C](ofInt), value0[C](ofInt64), value0[C](ofFloat),
		value0[C](ofBool), value0[C](ofRaw), value0[C](ofJSON), value0[C](ofBytes), value0[C](ofAny),
	}
	all[1] = slicesOf(
		one[C](getString, ofString), one[C](getInt, ofInt), one[C](getInt64, ofInt64), one[C](getFloat, ofFloat),
		one[C](getBool, ofBool), one[C](getRaw, ofRaw), one[C](getJSON, ofJSON), one[C](getBytes, ofBytes), one[C](getAny, ofAny),
	)
	all[2] = slicesOf(
		two[C](getString, getString, ofString), two[C](getString, getInt, ofInt), two[C](getString, getBool, ofBool),
		two[C](getString, getRaw, ofRaw), two[C](getString, getJSON, ofJSON), two[C](getString, getBytes, ofBytes), two[C](getString, getAny, ofAny),
		two[C](getInt, getInt, ofInt), two[C](getFloat, getFloat, ofFloat), two[C](getInt, getString, ofString),
	)
	all[3] = slicesOf(
		three[C](getString, getString, getString, ofString), three[C](getString, getString, getAny, ofAny),
		three[C](getString, getString, getRaw, ofRaw), three[C](getString, getString, getJSON, ofJSON), three[C](getString, getInt, getInt, ofInt),
	)
	return all
}

func slicesOf[C context.Context](groups ...[]shape[C]) (all []shape[C]) {
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}

// one, two and three are the shapes of some arguments with no result, with the last argument's type, and with the most common other
// results.

func one[C context.Context, A any](getA func(*slot) A, of func(A) Result) []shape[C] {
	return []shape[C]{
		void1[C](getA), value1[C](getA, of),
		value1[C](getA, ofString), value1[C](getA, ofInt), value1[C](getA, ofBool), value1[C](getA, ofAny),
	}
}

func two[C context.Context, A, B any](getA func(*slot) A, getB func(*slot) B, of func(B) Result) []shape[C] {
	return []shape[C]{
		void2[C](getA, getB), value2[C](getA, getB, of),
		value2[C](getA, getB, ofString), value2[C](getA, getB, ofInt), value2[C](getA, getB, ofBool), value2[C](getA, getB, ofAny),
	}
}

func three[C context.Context, A, B, D any](getA func(*slot) A, getB func(*slot) B, getD func(*slot) D, of func(D) Result) []shape[C] {
	return []shape[C]{
		void3[C](getA, getB, getD), value3[C](getA, getB, getD, of),
		value3[C](getA, getB, getD, ofString), value3[C](getA, getB, getD, ofInt), value3[C](getA, getB, getD, ofBool), value3[C](getA, getB, getD, ofAny),
	}
}

func getString(s *slot) string        { return s.str }
func getInt(s *slot) int              { return s.int }
func getInt64(s *slot) int64          { return s.int64 }
func getFloat(s *slot) float64        { return s.float }
func getBool(s *slot) bool            { return s.bool }
func getRaw(s *slot) codec.Raw        { return s.raw }
func getJSON(s *slot) json.RawMessage { return s.bytes }
func getBytes(s *slot) []byte         { return s.bytes }
func getAny(s *slot) any              { return s.any }
