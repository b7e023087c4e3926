package codec

import (
	"encoding/json"
	"errors"

	"github.com/valyala/fastjson"
)

// Tree is a JSON value of no declared type, for arguments whose shape is known only when they come: a hub method that takes a Tree walks it with
// the methods of fastjson.Value (Get, GetInt, GetStringBytes, Object, …). Numbers keep all their digits. The zero Tree is null. A Tree belongs to
// whoever has it and may be kept; reading it is not safe for concurrent use.
//
// A tree is convenient, not cheap: up to about 200 bytes of memory for each element, so 32 KiB of nothing but small numbers
// become some 7 MB. any costs a sixth of that, a struct less still, and Raw nothing but its bytes.
type Tree struct{ *fastjson.Value }

var errNotTree = errors.New("expected one JSON value in UTF-8 that nests at most 64 deep")

// UnmarshalJSON copies and parses b. fastjson comes behind our own check of syntax and depth: its parser takes long for what nests too deep.
func (t *Tree) UnmarshalJSON(b []byte) error {
	whole, ok := wholeValue(b)
	if !ok {
		return errNotTree
	}
	v, err := fastjson.ParseBytes(whole)
	if err != nil {
		return errNotTree // its own text may hold all of the input
	}
	t.Value = v
	return nil
}

// MarshalJSON writes the value.
func (t Tree) MarshalJSON() ([]byte, error) {
	if t.Value == nil {
		return []byte("null"), nil
	}
	return t.MarshalTo(nil), nil
}

var (
	_ json.Unmarshaler = (*Tree)(nil)
	_ json.Marshaler   = Tree{}
)
