package codec_test

import (
	"strings"
	"testing"

	"github.com/spokehub/spoke/codec"
)

func TestTree(t *testing.T) {
	t.Parallel()
	in := []byte(` {"name":"é\ud83d\ude00","big":12345678901234567890123,"list":[1,2.50,null,true,{"x":"y"}]} `)
	var tree codec.Tree
	if err := codec.JSON.Bind(in, &tree); err != nil {
		t.Fatal(err)
	}
	for i := range in {
		in[i] = 'x' // the tree may not point into a buffer that is used again
	}
	if s := string(tree.GetStringBytes("name")); s != "é😀" {
		t.Errorf("name is %q", s)
	}
	if n := tree.GetInt("list", "0"); n != 1 {
		t.Errorf("list[0] is %d", n)
	}
	out, err := codec.JSON.AppendValue(nil, tree)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"name":"é\uD83D\uDE00","big":12345678901234567890123,"list":[1,2.50,null,true,{"x":"y"}]}`; string(out) != want {
		t.Errorf("written as\n%s\nwant\n%s", out, want)
	}
	if out, err := codec.JSON.AppendValue(nil, codec.Tree{}); err != nil || string(out) != "null" {
		t.Errorf("the zero tree is %s, %v", out, err)
	}
}

func TestTreeRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "{", `{"a":1}x`, "NaN", "\"\xff\"", strings.Repeat("[", 65) + strings.Repeat("]", 65), strings.Repeat("[", 32<<10)} {
		var tree codec.Tree
		if err := tree.UnmarshalJSON([]byte(s)); err == nil {
			t.Errorf("%.20q passed", s)
		} else if len(err.Error()) > 100 {
			t.Errorf("the error repeats the input: %s", err)
		}
	}
}
