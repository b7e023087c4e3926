package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// program is the packages of the hubs and all that they import. Packages of the main module are checked from their source, so that a hub need not
// compile to the end and comments and constants are all there; the others are read from what the go command has compiled.
type program struct {
	dir    string // positions are told from here
	fset   *token.FileSet
	pkgs   map[string]*pkg // by import path
	roots  map[string]*pkg // by pattern
	binary types.Importer
}

// pkg is one package, as `go list -json` tells it.
type pkg struct {
	ImportPath string
	Dir        string
	Name       string
	GoFiles    []string
	CgoFiles   []string
	Export     string
	DepOnly    bool
	Match      []string
	ImportMap  map[string]string
	Module     *struct{ Main bool }
	Error      *struct{ Pos, Err string }

	types *types.Package
	files []*ast.File       // parsed when they are needed
	docs  map[string]string // see doc; nil until they are read
}

// load asks the go command for the packages and checks those of the main module.
func load(dir string, patterns []string) (*program, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	p := &program{dir: abs, fset: token.NewFileSet(), pkgs: map[string]*pkg{}, roots: map[string]*pkg{}}
	p.binary = importer.ForCompiler(p.fset, "gc", p.export)
	all, err := list(dir, patterns)
	if err != nil {
		return nil, err
	}
	for _, k := range all {
		p.pkgs[k.ImportPath] = k
		for _, m := range k.Match {
			if old := p.roots[m]; old != nil {
				return nil, fmt.Errorf("%s is several packages, %s and %s among them: name one", m, old.ImportPath, k.ImportPath)
			}
			p.roots[m] = k
		}
	}
	for _, m := range patterns {
		k := p.roots[m]
		if k == nil {
			return nil, fmt.Errorf("%s is no package", m)
		}
		if k.Error != nil && len(k.GoFiles) == 0 {
			return nil, fmt.Errorf("%s: %s", m, strings.TrimSpace(k.Error.Err))
		}
	}
	for _, k := range all { // dependencies come first
		if k.Module != nil && k.Module.Main && len(k.CgoFiles) == 0 {
			if err := p.check(k); err != nil {
				return nil, err
			}
		}
	}
	for _, m := range patterns {
		if _, err := p.load(p.roots[m].ImportPath); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// list runs the go command, which compiles what it has not compiled yet.
func list(dir string, patterns []string) ([]*pkg, error) {
	args := []string{"list", "-e", "-deps", "-export", "-json=ImportPath,Dir,Name,GoFiles,CgoFiles,Export,DepOnly,Match,ImportMap,Module,Error", "--"}
	cmd := exec.Command("go", append(args, patterns...)...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list %s: %w: %s", strings.Join(patterns, " "), err, strings.TrimSpace(stderr.String()))
	}
	var all []*pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		k := new(pkg)
		if err := dec.Decode(k); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		all = append(all, k)
	}
}

// check type-checks a package from its source; the bodies of functions do not matter.
func (p *program) check(k *pkg) error {
	if err := p.parse(k); err != nil {
		return err
	}
	var errs []error
	conf := types.Config{
		Importer:         imports{p, k},
		IgnoreFuncBodies: true,
		Sizes:            types.SizesFor("gc", runtime.GOARCH),
		Error: func(err error) {
			var e types.Error
			if errors.As(err, &e) && !e.Soft { // an import that is used in bodies only is no error here
				errs = append(errs, fmt.Errorf("%s: %s", p.position(e.Pos), e.Msg))
			}
		},
	}
	k.types, _ = conf.Check(k.ImportPath, p.fset, k.files, nil) // its error is the first of errs
	if len(errs) > 5 {
		errs = append(errs[:5], errors.New("and more"))
	}
	return errors.Join(errs...)
}

func (p *program) parse(k *pkg) error {
	if k.files != nil {
		return nil
	}
	for _, name := range slices.Concat(k.GoFiles, k.CgoFiles) {
		f, err := parser.ParseFile(p.fset, filepath.Join(k.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		k.files = append(k.files, f)
	}
	return nil
}

// load is the package of an import path.
func (p *program) load(path string) (*types.Package, error) {
	k := p.pkgs[path]
	if k != nil && k.types != nil {
		return k.types, nil
	}
	t, err := p.binary.Import(path)
	if err == nil && k != nil {
		k.types = t
	}
	return t, err
}

// export opens what the compiler has left of a package.
func (p *program) export(path string) (io.ReadCloser, error) {
	k := p.pkgs[path]
	switch {
	case k == nil:
		return nil, fmt.Errorf("package %s is not among what the hubs import", path)
	case k.Export == "" && k.Error != nil:
		return nil, fmt.Errorf("package %s does not compile: %s", path, strings.TrimSpace(k.Error.Err))
	case k.Export == "":
		return nil, fmt.Errorf("package %s does not compile", path)
	}
	return os.Open(k.Export)
}

// imports are the imports of one package.
type imports struct {
	*program
	of *pkg
}

func (i imports) Import(path string) (*types.Package, error) {
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	return i.load(cmp.Or(i.of.ImportMap[path], path))
}

// position is file:line, from the folder in which the program runs.
func (p *program) position(pos token.Pos) string {
	at := p.fset.Position(pos)
	if !at.IsValid() {
		return "-"
	}
	name := at.Filename
	if rel, err := filepath.Rel(p.dir, name); err == nil && !strings.HasPrefix(rel, "..") {
		name = filepath.ToSlash(rel)
	}
	return fmt.Sprintf("%s:%d", name, at.Line)
}
