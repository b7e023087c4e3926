package main

import (
	"cmp"
	"errors"
	"fmt"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strings"

	hubmethod "github.com/spokehub/spoke/hubrt/method"
)

// hub is a hub type as its clients see it.
type hub struct {
	obj     *types.TypeName
	methods []method
	client  *client // nil: none is known
}

// client is what a hub calls on clients: the methods of a Go interface.
type client struct {
	obj     *types.TypeName
	methods []method
}

// method is one method on the wire.
type method struct {
	name   string
	doc    string
	params []param
	result types.Type // nil: none; of a stream, an item
	stream bool
}

type param struct {
	name   string
	typ    types.Type // of an upload, an item
	stream bool
	rest   bool // any number of them, at the end
}

// read finds the hubs and says all that is wrong with them.
func (p *program) read(opt options) ([]hub, error) {
	var hubs []hub
	var errs []error
	for _, h := range opt.hubs {
		k := p.roots[h.pattern]
		obj, err := p.lookup(k.types, h.name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		read, err := p.hub(obj, opt.names)
		errs = append(errs, err)
		if name := opt.clientOf(h.name); name != "" {
			c, err := p.client(k.types, name, opt.clientNames)
			errs = append(errs, err)
			read.client = c
		}
		hubs = append(hubs, read)
	}
	return hubs, errors.Join(errs...)
}

// lookup finds a type by its name.
func (p *program) lookup(in *types.Package, name string) (*types.TypeName, error) {
	obj := in.Scope().Lookup(name)
	switch obj := obj.(type) {
	case *types.TypeName:
		return obj, nil
	case nil:
		var has []string
		for _, n := range in.Scope().Names() {
			if t, ok := in.Scope().Lookup(n).(*types.TypeName); ok && (t.Exported() || in.Name() == "main") {
				has = append(has, n)
			}
		}
		if len(has) == 0 {
			return nil, fmt.Errorf("package %s has no type %s, nor any other", in.Path(), name)
		}
		return nil, fmt.Errorf("package %s has no type %s; its types are %s", in.Path(), name, strings.Join(has, ", "))
	default:
		return nil, fmt.Errorf("%s: %s is no type, but a %s", p.position(obj.Pos()), name, strings.TrimPrefix(strings.ToLower(fmt.Sprintf("%T", obj)), "*types."))
	}
}

// isHook tells the methods that are hooks: clients cannot call them.
func isHook(name string) bool { return name == "OnConnected" || name == "OnDisconnected" }

// hub reads the methods that MapHub would register for a pointer to the type.
func (p *program) hub(obj *types.TypeName, names naming) (hub, error) {
	h := hub{obj: obj}
	t := types.Unalias(obj.Type())
	if ptr, ok := t.(*types.Pointer); ok { // an alias of a pointer
		t = types.Unalias(ptr.Elem())
	}
	fail := func(format string, a ...any) (hub, error) {
		return h, fmt.Errorf("%s: %s is no hub: %s", p.position(obj.Pos()), obj.Name(), fmt.Sprintf(format, a...))
	}
	if types.IsInterface(t) {
		return fail("it is an interface; name the type whose value is given to MapHub")
	}
	if n, ok := t.(*types.Named); ok && n.TypeParams().Len() > n.TypeArgs().Len() {
		return fail("it is generic; name a type that says for which types, such as: type Of%s = %s[int]", obj.Name(), obj.Name())
	}

	r := registration{program: p, names: names}
	set := types.NewMethodSet(types.NewPointer(t))
	if set.Lookup(nil, "Lock") != nil && set.Lookup(nil, "Unlock") != nil {
		r.refuse(obj.Pos(), reflectName(types.NewPointer(t)), "it has Lock and Unlock, which every client could call; make the embedded mutex a named field")
		return h, r.err()
	}
	for i := range set.Len() {
		f := set.At(i).Obj().(*types.Func)
		if f.Exported() && !isHook(f.Name()) {
			r.add(f, r.name(f.Name()), set.At(i).Type().(*types.Signature))
		}
	}
	r.fields(t)
	if len(r.methods) == 0 && r.err() == nil {
		return fail("it has no exported methods")
	}
	h.methods = r.sorted()
	return h, r.err()
}

// client reads an interface. name may be that of another package that the hub's imports: import/path.Name.
func (p *program) client(in *types.Package, name string, names naming) (*client, error) {
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		other, err := p.load(name[:dot])
		if err != nil {
			return nil, fmt.Errorf("client interface %s: %w", name, err)
		}
		in, name = other, name[dot+1:]
	}
	if !token.IsIdentifier(name) {
		return nil, fmt.Errorf("client interface %s: want a name, or import/path.Name", name)
	}
	obj, err := p.lookup(in, name)
	if err != nil {
		return nil, fmt.Errorf("client interface: %w", err)
	}
	t, ok := obj.Type().Underlying().(*types.Interface)
	fail := func(format string, a ...any) (*client, error) {
		return nil, fmt.Errorf("%s: %s is no client interface: %s", p.position(obj.Pos()), name, fmt.Sprintf(format, a...))
	}
	switch n, _ := types.Unalias(obj.Type()).(*types.Named); {
	case !ok:
		return fail("it is a %s; its methods are to be what the hub calls on clients", kindOf(obj.Type()))
	case !t.IsMethodSet():
		return fail("it is a constraint of types")
	case n != nil && n.TypeParams().Len() > n.TypeArgs().Len():
		return fail("it is generic; name a type that says for which types, such as: type Of%s = %s[int]", name, name)
	case t.NumMethods() == 0:
		return fail("it has no methods")
	}
	r := registration{program: p, names: names, client: true}
	for f := range t.Methods() {
		r.add(f, r.name(f.Name()), f.Signature())
	}
	return &client{obj, r.sorted()}, r.err()
}

// kindOf is a word for what a type is.
func kindOf(t types.Type) string {
	switch t := t.Underlying().(type) {
	case *types.Struct:
		return "struct"
	case *types.Signature:
		return "function type"
	case *types.Map:
		return "map"
	case *types.Slice:
		return "slice"
	default:
		return t.String()
	}
}

// registration collects methods, and what is wrong with them in the words of the server's registration.
type registration struct {
	*program
	names    naming
	client   bool // the methods of clients, called by the server
	methods  map[string]method
	problems []error
}

func (r *registration) refuse(at token.Pos, name, format string, a ...any) {
	what := "hub"
	if r.client {
		what = "client"
	}
	r.problems = append(r.problems, fmt.Errorf("%s: %s method %q: %s", r.position(at), what, name, fmt.Sprintf(format, a...)))
}

func (r *registration) err() error { return errors.Join(r.problems...) }

func (r *registration) add(obj types.Object, name string, sig *types.Signature) {
	folded := foldASCII(name)
	if other, ok := r.methods[folded]; ok {
		r.refuse(obj.Pos(), name, "Duplicate definitions of '%s'. Overloading is not supported. (%q is registered, and names ignore ASCII case.)", name, other.name)
		return
	}
	m, problems := r.signature(sig)
	for _, why := range problems {
		r.refuse(obj.Pos(), name, "%s", why)
	}
	m.name, m.doc = name, r.doc(obj)
	if r.methods == nil {
		r.methods = map[string]method{}
	}
	r.methods[folded] = m
}

// fields adds the fields whose tag makes them methods, `spoke:"name,option"`, those of embedded structs among them.
func (r *registration) fields(hub types.Type) {
	type place struct {
		field *types.Var
		tag   string
	}
	var all []place
	seen := map[string]bool{}
	var walk func(t types.Type)
	walk = func(t types.Type) {
		if seen[fullName(t)] {
			return
		}
		seen[fullName(t)] = true
		s, ok := t.Underlying().(*types.Struct)
		if !ok {
			return
		}
		for i := range s.NumFields() {
			f := s.Field(i)
			if tag, ok := tagsOf(s.Tag(i)).Lookup("spoke"); ok {
				all = append(all, place{f, tag})
			}
			if inner, _ := embeddedStruct(f); inner != nil {
				walk(inner)
			}
		}
	}
	walk(hub)
	for _, p := range all {
		f := p.field
		if promoted, _, _ := types.LookupFieldOrMethod(hub, true, f.Pkg(), f.Name()); promoted != f {
			continue // another one of its name hides it
		}
		name, options, more := strings.Cut(p.tag, ",")
		problem := ""
		for more && problem == "" {
			var word string
			if word, options, more = strings.Cut(options, ","); word != "inline" && word != "user" {
				problem = fmt.Sprintf("its spoke tag has the option %q; there are inline and user", word)
			}
		}
		sig, ok := f.Type().Underlying().(*types.Signature)
		switch {
		case problem != "":
			r.refuse(f.Pos(), f.Name(), "%s", problem)
		case !f.Exported():
			r.refuse(f.Pos(), f.Name(), "the field has a spoke tag, but is not exported")
		case !ok:
			r.refuse(f.Pos(), f.Name(), "the field has a spoke tag, but %s is not a function type", reflectName(f.Type()))
		default:
			r.add(f, cmp.Or(name, r.name(f.Name())), sig)
		}
	}
}

func (r *registration) sorted() []method {
	var all []method
	for _, key := range slices.Sorted(maps.Keys(r.methods)) {
		all = append(all, r.methods[key])
	}
	return all
}

// name is a Go name's on the wire.
func (r *registration) name(goName string) string {
	if r.names == camelNames {
		return hubmethod.LowerCamel(goName)
	}
	return goName
}

func foldASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
