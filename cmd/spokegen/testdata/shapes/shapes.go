// Package shapes has a hub with every kind of type.
package shapes

import (
	"encoding/json"
	"fmt"
	"math/big"
	"net/netip"
	"time"

	"github.com/spokehub/spoke"
)

// Shapes takes and gives all there is.
type Shapes struct{ base }

type base struct{}

// Promoted belongs to what is embedded.
func (base) Promoted() {}

func (Shapes) Scalars(b bool, i8 int8, u64 uint64, r rune, f float32, s string)           {}
func (Shapes) Bytes([]byte, [4]byte, []color) json.RawMessage                             { return nil }
func (Shapes) Lists([]string, [3]int, [][]float64, []*int, []any) []*Node                 { return nil }
func (Shapes) Maps(map[string]int, map[int]Node, map[Color]bool, map[netip.Addr][]string) {}
func (Shapes) Pointers(*string, **int, *Node, *any) *Node                                 { return nil }
func (Shapes) Known(time.Time, *time.Time, time.Duration, json.Number, *big.Int, netip.Addr, time.Month) {
}
func (Shapes) Any(any, interface{}) fmt.Stringer                               { return nil }
func (Shapes) Itself(Money, Code, spoke.Tree)                                  {}
func (Shapes) Raw(spoke.Raw, []spoke.Raw, map[string]*spoke.Raw) (r spoke.Raw) { return r }
func (Shapes) Names(UserID, Users, Lookup, Grid, Color, Bits, Rights, Later)   {}
func (Shapes) Generic(Page[Node], Page[string], Pair[int, []Color]) Page[Page[Node]] {
	return Page[Page[Node]]{}
}
func (Shapes) Literal(struct {
	A int `json:"a"`
	B struct{ C *string }
}) struct{} {
	return struct{}{}
}
func (Shapes) Tags(Tags, Outer, hidden)                                                   {}
func (Shapes) Words(_ int, _ string, class bool, this int, new, arguments int, größe int) {}
func (Shapes) Same(a, a_ int)                                                             {}
func (Shapes) Recursive(Tree, Dictionary, Ring) *Node                                     { return nil }
func (Shapes) Empty(Empty) error                                                          { return nil }

// Node refers to itself.
type Node struct {
	Name     string
	Children []Node
	Parent   *Node
	/* Ends the comment: */
	//
	// */ no, it does not
	Extra map[string]Node
}

// Color is one of three. Its limit is no colour.
type Color string

const (
	Red   Color = "red"
	Green Color = "gr\"een"
	Rouge       = Red // another name
	Blue  Color = "blue"
)

type color byte

// Bits are told by number.
type Bits int8

const (
	// Low is the lowest.
	Low  Bits = -1
	None Bits = 0
	High Bits = 1 << 6
)

// Rights are added up.
type Rights uint

const (
	Read Rights = 1 << iota
	Write
	Run
)

// UserID names a user.
type UserID string

// Users are several.
type Users []UserID

type Lookup map[UserID]Users

type Grid [2][2]float64

// Later is another name of a type elsewhere.
type Later = time.Duration

// Money encodes itself.
type Money struct{ cents int64 }

func (m Money) MarshalJSON() ([]byte, error)  { return nil, nil }
func (m *Money) UnmarshalJSON(b []byte) error { return nil }

// Code encodes itself as a text.
type Code struct{ a, b byte }

func (c Code) MarshalText() ([]byte, error)  { return nil, nil }
func (c *Code) UnmarshalText(b []byte) error { return nil }

// Page is a part of a list.
type Page[T any] struct {
	Items []T
	Next  *Page[T] `json:",omitempty"`
}

type Pair[A, B any] struct {
	First  A
	Second B
}

// Tags has every option.
type Tags struct {
	Plain     int
	Renamed   string `json:"renamed"`
	Dashed    bool   `json:"with-dash"`
	Left      func() `json:"-"`
	Dash      int    `json:"-,"`
	Maybe     int    `json:"maybe,omitempty"`
	MaybeNot  *int   `json:",omitempty"`
	Zero      Node   `json:"zero,omitzero"`
	Quoted    int64  `json:"quoted,string"`
	QuotedPtr *int   `json:",string"`
	QuotedNot []int  `json:",string"`
	BadName   int    `json:"a\"b"`
	unseen    int
	// Old is not used any more.
	//
	// Deprecated: use Plain.
	Old int
}

// Outer embeds.
type Outer struct {
	Inner
	*Far
	Named `json:"named"`
	Color
	hidden
	ambiguousA
	ambiguousB
	Shadow string
}

type Inner struct {
	FromInner int
	Shadow    int
	Outer     *Outer
}

type Far struct{ FromFar Color }

type Named struct{ N int }

type hidden struct{ FromHidden int }

type ambiguousA struct {
	Twice  int
	Tagged int `json:"tagged"`
}

type ambiguousB struct {
	Twice  int
	Other  int `json:"tagged,omitempty"`
	Single int
}

type Tree []Tree

type Dictionary map[string]Dictionary

type Ring *Ring

// Empty has nothing.
type Empty struct{}
