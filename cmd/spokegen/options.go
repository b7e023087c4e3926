package main

import (
	"errors"
	"flag"
	"fmt"
	"go/token"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// options are the command line.
type options struct {
	out         string            // "": standard output
	check       bool              // compare with out instead of writing it
	client      string            // the client interface of hubs that clients does not name; "": none
	clients     map[string]string // by hub type
	names       naming            // of hub methods
	clientNames naming
	types       map[string]string // TypeScript by Go type, "import/path.Name"
	nilSlices   bool              // slices and maps may be null
	hubs        []hubName
}

// hubName is a hub type as the command line names it.
type hubName struct{ pattern, name string }

// patterns are the packages in order, each once.
func (o options) patterns() []string {
	var all []string
	for _, h := range o.hubs {
		if !slices.Contains(all, h.pattern) {
			all = append(all, h.pattern)
		}
	}
	return all
}

// clientOf is the name of the hub's client interface; "": it has none.
func (o options) clientOf(hub string) string {
	if c, ok := o.clients[hub]; ok {
		return c
	}
	return o.client
}

// naming makes the name on the wire of a Go name.
type naming string

const (
	goNames    naming = "go"
	camelNames naming = "camel"
)

func (n *naming) String() string { return string(*n) }

func (n *naming) Set(s string) error {
	if s != string(goNames) && s != string(camelNames) {
		return errors.New("want go (Send) or camel (send)")
	}
	*n = naming(s)
	return nil
}

func parse(args []string, stderr io.Writer) (options, error) {
	opt := options{names: goNames, clientNames: camelNames, clients: map[string]string{}, types: map[string]string{}}
	fs := flag.NewFlagSet("spokegen", flag.ContinueOnError)
	fs.SetOutput(io.Discard) // errors are told by the caller, once
	fs.StringVar(&opt.out, "out", "", "the `file` to write, .d.ts or .ts; empty for standard output")
	fs.BoolVar(&opt.check, "check", false, "write nothing, fail when the file is not what would be written")
	fs.Func("client", "`interface` whose methods are what the hub calls on clients, in the hub's package or as import/path.Name; HUB=interface for one hub of several", opt.addClient)
	fs.Var(&opt.names, "names", "hub methods on the wire: `go|camel`, camel for a server whose Hub.MethodName is spoke.LowerCamel")
	fs.Var(&opt.clientNames, "client-names", "client methods on the wire: `go|camel`")
	fs.Func("type", "`import/path.Name=TypeScript` for a Go type whose encoding is its own business; may be repeated", opt.addType)
	fs.BoolVar(&opt.nilSlices, "nil-slices", false, "declare slices and maps as T | null, as nil ones are sent")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fs.SetOutput(stderr)
			fmt.Fprint(stderr, usage)
			fs.PrintDefaults()
		}
		return opt, err
	}
	if opt.check && opt.out == "" {
		return opt, errors.New("-check compares with a file: name it by -out")
	}
	return opt, opt.addHubs(fs.Args())
}

func (o *options) addHubs(args []string) error {
	pattern, named := "", true
	for _, arg := range args {
		switch {
		case !token.IsIdentifier(arg): // import paths of one word are the standard library's, which has no hubs
			if !named {
				return fmt.Errorf("no hub type is named after the package %s", pattern)
			}
			pattern, named = arg, false
		case pattern == "":
			return fmt.Errorf("%s: the package of a hub type comes before it, for instance: . %s", arg, arg)
		case slices.Contains(o.hubs, hubName{pattern, arg}):
			return fmt.Errorf("%s of %s is named twice", arg, pattern)
		default:
			o.hubs = append(o.hubs, hubName{pattern, arg})
			named = true
		}
	}
	if len(o.hubs) == 0 || !named {
		return errors.New("name a package and its hub types, for instance: ./chat Chat (-help shows more)")
	}
	for hub := range o.clients {
		if !slices.ContainsFunc(o.hubs, func(h hubName) bool { return h.name == hub }) {
			return fmt.Errorf("-client %s=%s: no hub of that name is given", hub, o.clients[hub])
		}
	}
	return nil
}

func (o *options) addClient(s string) error {
	hub, client, of := strings.Cut(s, "=")
	switch {
	case !of && o.client != "":
		return fmt.Errorf("%s is the client interface of all hubs already; say HUB=%s", o.client, s)
	case !of:
		o.client = s
	case hub == "" || client == "":
		return errors.New("want HUB=interface")
	case o.clients[hub] != "":
		return fmt.Errorf("%s has the client interface %s already", hub, o.clients[hub])
	default:
		o.clients[hub] = client
	}
	return nil
}

func (o *options) addType(s string) error {
	name, text, ok := strings.Cut(s, "=")
	dot := strings.LastIndexByte(name, '.')
	if !ok || text == "" || dot < 1 || !token.IsIdentifier(name[dot+1:]) {
		return errors.New("want import/path.Name=TypeScript, for instance github.com/google/uuid.UUID=string")
	}
	if old, ok := o.types[name]; ok {
		return fmt.Errorf("%s is declared as %s already", name, old)
	}
	o.types[name] = text
	return nil
}

// at is a file's name, seen from dir.
func at(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, name)
}
