package method

import (
	"context"
	"unsafe"
)

// The signatures of direct plans, by number of arguments: with the hub context or without, as a function or (unsafe.Pointer
// first) as a method of a pointer; voidN without a result, valueN with one of type R. Each becomes a function of one form, with its receiver bound.

func void0[C context.Context]() shape[C] {
	return func(fn callable) invoke[C] {
		var run func(hub C) error
		recv := fn.recv
		switch f := fn.fn.(type) {
		case func(C) error:
			run = f
		case func(C):
			run = func(hub C) error { f(hub); return nil }
		case func() error:
			run = func(_ C) error { return f() }
		case func():
			run = func(_ C) error { f(); return nil }
		case func(unsafe.Pointer, C) error:
			run = func(hub C) error { return f(recv, hub) }
		case func(unsafe.Pointer, C):
			run = func(hub C) error { f(recv, hub); return nil }
		case func(unsafe.Pointer) error:
			run = func(_ C) error { return f(recv) }
		case func(unsafe.Pointer):
			run = func(_ C) error { f(recv); return nil }
		default:
			return nil
		}
		return func(hub C, _ context.Context, _ *Args) (Result, error) {
			return Result{}, run(hub)
		}
	}
}

func value0[C context.Context, R any](of func(R) Result) shape[C] {
	return func(fn callable) invoke[C] {
		var run func(hub C) (R, error)
		recv := fn.recv
		switch f := fn.fn.(type) {
		case func(C) (R, error):
			run = f
		case func(C) R:
			run = func(hub C) (R, error) { return f(hub), nil }
		case func() (R, error):
			run = func(_ C) (R, error) { return f() }
		case func() R:
			run = func(_ C) (R, error) { return f(), nil }
		case func(unsafe.Pointer, C) (R, error):
			run = func(hub C) (R, error) { return f(recv, hub) }
		case func(unsafe.Pointer, C) R:
			run = func(hub C) (R, error) { return f(recv, hub), nil }
		case func(unsafe.Pointer) (R, error):
			run = func(_ C) (R, error) { return f(recv) }
		case func(unsafe.Pointer) R:
			run = func(_ C) (R, error) { return f(recv), nil }
		default:
			return nil
		}
		return func(hub C, _ context.Context, _ *Args) (Result, error) {
			r, err := run(hub)
			if err != nil {
				return Result{}, err
			}
			return of(r), nil
		}
	}
}

func void1[C context.Context, A any](getA func(*slot) A) shape[C] {
	return func(fn callable) invoke[C] {
		var run func(hub C, a A) error
		recv := fn.recv
		switch f := fn.fn.(type) {
		case func(C, A) error:
			run = f
		case func(C, A):
			run = func(hub C, a A) error { f(hub, a); return nil }
		case func(A) error:
			run = func(_ C, a A) error { return f(a) }
		case func(A):
			run = func(_ C, a A) error { f(a); return nil }
		case func(unsafe.Pointer, C, A) error:
			run = func(hub C, a A) error { return f(recv, hub, a) }
		case func(unsafe.Pointer, C, A):
			run = func(hub C, a A) error { f(recv, hub, a); return nil }
		case func(unsafe.Pointer, A) error:
			run = func(_ C, a A) error { return f(recv, a) }
		case func(unsafe.Pointer, A):
			run = func(_ C, a A) error { f(recv, a); return nil }
		default:
			return nil
		}
		return func(hub C, _ context.Context, args *Args) (Result, error) {
			return Result{}, run(hub, getA(&args.slots[0]))
		}
	}
}

func value1[C context.Context, A, R any](getA func(*slot) A, of func(R) Result) shape[C] {
	return func(fn callable) invoke[C] {
		var run func(hub C, a A) (R, error)
		recv := fn.recv
		switch f := fn.fn.(type) {
		case func(C, A) (R, error):
			run = f
		case func(C, A) R:
			run = func(hub C, a A) (R, error) { return f(hub, a), nil }
		case func(A) (R, error):
			run = func(_ C, a A) (R, error) { return f(a) }
		case func(A) R:
			run = func(_ C, a A) (R, error) { return f(a), nil }
		case func(unsafe.Pointer, C, A) (R, error):
			run = func(hub C, a A) (R, error) { return f(recv, hub, a) }
		case func(unsafe.Pointer, C, A) R:
			run = func(hub C, a A) (R, error) { return f(recv, hub, a), nil }
		case func(unsafe.Pointer, A) (R, error):
			run = func(_ C, a A) (R, error) { return f(recv, a) }
		case func(unsafe.Pointer, A) R:
			run = func(_ C, a A) (R, error) { return f(recv, a), nil }
		default:
			return nil
		}
		return func(hub C, _ context.Context, args *Args) (Result, error) {
			r, err := run(hub, getA(&args.slots[0]))
			if err != nil {
				return Result{}, err
			}
			return of(r), nil
		}
	}
}

func void2[C context.Context, A, B any](getA func(*slot) A, getB func(*slot) B) shape[C] {
	return func(fn callable) invoke[C] {
		var run func(hub C, a A, b B) error
		recv := fn.recv
		switch f := fn.fn.(type) {
		case func(C, A, B) error:
			run = f
		case func(C, A, B):
			run = func(hub C, a A, b B) error { f(hub, a, b); return nil }
		case func(A, B) error:
			run = func(_ C, a A, b B) error { return f(a, b) }
		case func(A, B):
			run = func(_ C, a A, b B) error { f(a, b); return nil }
		case func(unsafe.Pointer, C, A, B) error:
			run = func(hub C, a A, b B) error { return f(recv, hub, a, b) }
		case func(unsafe.Pointer, C, A, B):
			run = func(hub C, a A, b B) error { f(recv, hub, a, b); return nil }
		case func(unsafe.Pointer, A, B) error:
			run = func(_ C, a A, b B) error { return f(recv, a, b) }
		case func(unsafe.Pointer, A, B):
			run = func(_ C, a A, b B) error { f(recv, a, b); return nil }
		default:
			return nil
		}
		return func(hub C, _ context.Context, args *Args) (Result, error) {
			return Result{}, run(hub, getA(&args.slots[0]), getB(&args.slots[1]))
		}
	}
}

func value2[C context.Context, A, B, R any](getA func(*slot) A, getB func(*slot) B, of func(R) Result) shape[C] {
	return func(fn callable) invoke[C] {
		var run func(hub C, a A, b B) (R, error)
		recv := fn.recv
		switch f := fn.fn.(type) {
		case func(C, A, B) (R, error):
			run = f
		case func(C, A, B) R:
			run = func(hub C, a A, b B) (R, error) { return f(hub, a, b), nil }
		case func(A, B) (R, error):
			run = func(_ C, a A, b B) (R, error) { return f(a, b) }
		case func(A, B) R:
			run = func(_ C, a A, b B) (R, error) { return f(a, b), nil }
		case func(unsafe.Pointer, C, A, B) (R, error):
			run = func(hub C, a A, b B) (R, error) { return f(recv, hub, a, b) }
		case func(unsafe.Pointer, C, A, B) R:
			run = func(hub C, a A, b B) (R, error) { return f(recv, hub, a, b), nil }
		case func(unsafe.Pointer, A, B) (R, error):
			run = func(_ C, a A, b B) (R, error) { return f(recv, a, b) }
		case func(unsafe.Pointer, A, B) R:
			run = func(_ C, a A, b B) (R, error) { return f(recv, a, b), nil }
		default:
			return nil
		}
		return func(hub C, _ context.Context, args *Args) (Result, error) {
			r, err := run(hub, getA(&args.slots[0]), getB(&args.slots[1]))
			if err != nil {
				return Result{}, err
			}
			return of(r), nil
		}
	}
}

func void3[C context.Context, A, B, D any](getA func(*slot) A, getB func(*slot) B, getD func(*slot) D) shape[C] {
	return func(fn callable) invoke[C] {
		var run func(hub C, a A, b B, d D) error
		recv := fn.recv
		switch f := fn.fn.(type) {
		case func(C, A, B, D) error:
			run = f
		case func(C, A, B, D):
			run = func(hub C, a A, b B, d D) error { f(hub, a, b, d); return nil }
		case func(A, B, D) error:
			run = func(_ C, a A, b B, d D) error { return f(a, b, d) }
		case func(A, B, D):
			run = func(_ C, a A, b B, d D) error { f(a, b, d); return nil }
		case func(unsafe.Pointer, C, A, B, D) error:
			run = func(hub C, a A, b B, d D) error { return f(recv, hub, a, b, d) }
		case func(unsafe.Pointer, C, A, B, D):
			run = func(hub C, a A, b B, d D) error { f(recv, hub, a, b, d); return nil }
		case func(unsafe.Pointer, A, B, D) error:
			run = func(_ C, a A, b B, d D) error { return f(recv, a, b, d) }
		case func(unsafe.Pointer, A, B, D):
			run = func(_ C, a A, b B, d D) error { f(recv, a, b, d); return nil }
		default:
			return nil
		}
		return func(hub C, _ context.Context, args *Args) (Result, error) {
			return Result{}, run(hub, getA(&args.slots[0]), getB(&args.slots[1]), getD(&args.slots[2]))
		}
	}
}

func value3[C context.Context, A, B, D, R any](getA func(*slot) A, getB func(*slot) B, getD func(*slot) D, of func(R) Result) shape[C] {
	return func(fn callable) invoke[C] {
		var run func(hub C, a A, b B, d D) (R, error)
		recv := fn.recv
		switch f := fn.fn.(type) {
		case func(C, A, B, D) (R, error):
			run = f
		case func(C, A, B, D) R:
			run = func(hub C, a A, b B, d D) (R, error) { return f(hub, a, b, d), nil }
		case func(A, B, D) (R, error):
			run = func(_ C, a A, b B, d D) (R, error) { return f(a, b, d) }
		case func(A, B, D) R:
			run = func(_ C, a A, b B, d D) (R, error) { return f(a, b, d), nil }
		case func(unsafe.Pointer, C, A, B, D) (R, error):
			run = func(hub C, a A, b B, d D) (R, error) { return f(recv, hub, a, b, d) }
		case func(unsafe.Pointer, C, A, B, D) R:
			run = func(hub C, a A, b B, d D) (R, error) { return f(recv, hub, a, b, d), nil }
		case func(unsafe.Pointer, A, B, D) (R, error):
			run = func(_ C, a A, b B, d D) (R, error) { return f(recv, a, b, d) }
		case func(unsafe.Pointer, A, B, D) R:
			run = func(_ C, a A, b B, d D) (R, error) { return f(recv, a, b, d), nil }
		default:
			return nil
		}
		return func(hub C, _ context.Context, args *Args) (Result, error) {
			r, err := run(hub, getA(&args.slots[0]), getB(&args.slots[1]), getD(&args.slots[2]))
			if err != nil {
				return Result{}, err
			}
			return of(r), nil
		}
	}
}
