package codec

import "fmt"

// bindAny decodes a value of no declared type, straight from the raw bytes: a tree of valyala/fastjson in between is no faster (BenchmarkBindAny), and 32 KiB of zeros
// make one of 6.8 MB, which its pool would keep. v is one valid value, so its nesting, and the recursion here, is bounded.
func bindAny(v []byte) (any, error) {
	x, _, err := dynamic(v, 0)
	return x, err
}

// dynamic decodes the value at i of the valid JSON b and returns the index behind it.
func dynamic(b []byte, i int) (x any, end int, err error) {
	switch b[i] {
	case '{':
		return dynamicObject(b, i)
	case '[':
		return dynamicArray(b, i)
	}
	end = skipScalar(b, i)
	switch v := b[i:end]; v[0] {
	case 'n':
		return nil, end, nil
	case 't', 'f':
		return v[0] == 't', end, nil
	case '"':
		x, err = bindString(v)
	default:
		x, err = bindFloat(v, 64)
	}
	return x, end, err
}

func dynamicArray(b []byte, i int) (x any, end int, err error) {
	list := []any{}
	for i = skipSpace(b, i+1); b[i] != ']'; {
		if b[i] == ',' {
			i = skipSpace(b, i+1)
		}
		if x, i, err = dynamic(b, i); err != nil {
			return nil, 0, fmt.Errorf("element %d: %w", len(list), err)
		}
		list = append(list, x)
		i = skipSpace(b, i)
	}
	return list, i + 1, nil
}

// dynamicObject: of equal members the last counts.
func dynamicObject(b []byte, i int) (x any, end int, err error) {
	members := map[string]any{}
	for i = skipSpace(b, i+1); b[i] != '}'; {
		if b[i] == ',' {
			i = skipSpace(b, i+1)
		}
		end, _ := skipString(b, i)
		name, err := bindString(b[i:end])
		if err != nil {
			return nil, 0, fmt.Errorf("name of a member: %w", err)
		}
		i = skipSpace(b, skipSpace(b, end)+1)
		if members[name], i, err = dynamic(b, i); err != nil {
			return nil, 0, fmt.Errorf("member %q: %w", clip([]byte(name), 64), err)
		}
		i = skipSpace(b, i)
	}
	return members, i + 1, nil
}
