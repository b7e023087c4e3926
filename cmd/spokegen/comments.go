package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"path/filepath"
	"strings"
)

// doc is the comment of a type, a method, a field or a constant; "" when it has none, or its source is not there.
func (p *program) doc(obj types.Object) string {
	if obj.Pkg() == nil {
		return ""
	}
	k := p.pkgs[obj.Pkg().Path()]
	if k == nil {
		return ""
	}
	if k.docs == nil {
		k.docs = map[string]string{}
		if p.parse(k) == nil {
			for _, f := range k.files {
				p.readDocs(k.docs, f)
			}
		}
	}
	return k.docs[p.docKey(obj.Pos(), obj.Name())]
}

// docKey names a declaration by what compiled packages know of it too: its line.
func (p *program) docKey(pos token.Pos, name string) string {
	at := p.fset.Position(pos)
	return fmt.Sprintf("%s:%d:%s", filepath.Base(at.Filename), at.Line, name)
}

func (p *program) readDocs(docs map[string]string, f *ast.File) {
	set := func(name *ast.Ident, groups ...*ast.CommentGroup) {
		for _, g := range groups {
			if text := strings.TrimSpace(g.Text()); text != "" {
				docs[p.docKey(name.Pos(), name.Name)] = text
				return
			}
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			set(n.Name, n.Doc)
			return false
		case *ast.GenDecl:
			for _, spec := range n.Specs {
				var own *ast.CommentGroup // that of `type (…)` and `const (…)` is about all of them
				if !n.Lparen.IsValid() {
					own = n.Doc
				}
				switch s := spec.(type) {
				case *ast.TypeSpec:
					set(s.Name, s.Doc, own, s.Comment)
				case *ast.ValueSpec:
					for _, name := range s.Names {
						set(name, s.Doc, own, s.Comment)
					}
				}
			}
		case *ast.Field:
			for _, name := range n.Names {
				set(name, n.Doc, n.Comment)
			}
		}
		return true
	})
}

// jsdoc is a comment for TypeScript, "" for no text. Go's paragraph about a deprecation becomes the tag that editors know.
func jsdoc(indent, text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	text = strings.ReplaceAll(text, "*/", `*\/`)
	if strings.HasPrefix(text, "Deprecated: ") {
		text = "@deprecated " + strings.TrimPrefix(text, "Deprecated: ")
	}
	text = strings.ReplaceAll(text, "\n\nDeprecated: ", "\n\n@deprecated ")
	if !strings.Contains(text, "\n") {
		return indent + "/** " + text + " */\n"
	}
	var b strings.Builder
	b.WriteString(indent + "/**\n")
	for line := range strings.SplitSeq(text, "\n") {
		b.WriteString(strings.TrimRight(indent+" * "+line, " \t") + "\n")
	}
	b.WriteString(indent + " */\n")
	return b.String()
}
