// Package bad has types that are no hubs.
package bad

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"unsafe"

	"github.com/spokehub/spoke"
)

type Arguments struct{}

func (Arguments) Complex(complex128)                                  {}
func (Arguments) Error(error)                                         {}
func (Arguments) Func(func(a int, b ...string) (int, error))          {}
func (Arguments) InStruct(*WithFunc)                                  {}
func (Arguments) Inside([]map[string]func())                          {}
func (Arguments) Interface(fmt.Stringer)                              {}
func (Arguments) Keys(map[float64]int)                                {}
func (Arguments) LateContext(string, context.Context)                 {}
func (Arguments) Nothing(Hidden)                                      {}
func (Arguments) Pointer(unsafe.Pointer, uintptr)                     {}
func (Arguments) SecondHub(_, _ *spoke.Context)                       {}
func (Arguments) SendOnly(chan<- []byte)                              {}
func (Arguments) Variadic(_ *spoke.Context, _ ...string)              {}
func (Arguments) WrongOrder(context.Context, *spoke.Context)          {}
func (Arguments) Generic(Box[func(), int])                            {}
func (Arguments) Several(func(), string, chan<- rune) (func(), error) { return nil, nil }
func (Arguments) Anonymous(struct{ A chan<- int }, map[struct{}]any)  {}

type Results struct{}

func (Results) ErrorFirst() (error, int)    { return nil, 0 }
func (Results) ErrorType() *Failure         { return nil }
func (Results) Func() func()                { return nil }
func (Results) Struct() WithFunc            { return WithFunc{} }
func (Results) Three() (int, string, error) { return 0, "", nil }
func (Results) Two() (int, string)          { return 0, "" }
func (Results) TwoErrors() (error, error)   { return nil, nil }

type WithFunc struct {
	Name string
	Done func()
}

type Hidden struct{ a, b int }

type Box[A, B any] struct{ A A }

type Failure struct{}

func (*Failure) Error() string { return "" }

// Locked hands its mutex to clients.
type Locked struct{ sync.Mutex }

func (*Locked) Send() {}

// Twice has one name in two spellings.
type Twice struct{}

func (Twice) Send() {}
func (Twice) SEND() {}

type Empty struct{}

type Items struct{}

func (Items) Up(<-chan func())                      {}
func (Items) Down() iter.Seq[func()]                { return nil }
func (Items) Pairs(func(yield func(a, b int) bool)) {}
func (Items) Both(chan Hidden) chan bool            { return nil }
func (Items) Seq2(iter.Seq2[string, int])           {}

type Interface interface{ Send() }

type Generic[T any] struct{}

func (Generic[T]) Send(T) {}

type Fine struct{}

func (Fine) Send() {}

var Variable int

type NoClient struct{}

type Constraint interface{ ~int }

type EmptyClient interface{}

type GenericClient[T any] interface{ Tell(T) }

type BadClient interface {
	Streams(<-chan int)
	Answers() iter.Seq[int]
	Two() (int, int)
	Func(func())
	Asks() fmt.Stringer
	Tell(fmt.Stringer)
	TELL()
}

type Fields struct {
	Number int          `spoke:"number"`
	hidden func()       `spoke:"hidden"`
	Bad    func(func()) `spoke:"bad"`
	Option func()       `spoke:"option,inlined"`
}

func (Fields) Send() {}
