package main

import (
	"fmt"
	"go/types"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// taken are the names that the file itself uses.
var taken = []string{
	"HubConnection", "IStreamResult", "Promise", "Omit", "Exclude",
	"HubCalls", "ClientCalls", "HubStreamName", "HubMethodName", "HubArguments", "HubResult", "HubItem", "ClientHandler",
}

// claim is a declaration that wants a name.
type claim struct {
	key  string   // what it is
	name string   // what it wants
	path []string // the words that tell it from others of the name: the import path's parts
}

// assign gives every claim a name of its own. Those that want the same one all get the last part of their import path in front, then one more, then
// numbers: so no name depends on which of them comes first. The names of used are not given, and those that are given are added.
func assign(claims []claim, used map[string]bool) map[string]string {
	slices.SortFunc(claims, func(a, b claim) int { return strings.Compare(a.key, b.key) })
	words := make([]int, len(claims)) // by claim: how many parts are in front
	name := func(i int) string {
		c := claims[i]
		front := ""
		for _, word := range c.path[len(c.path)-min(words[i], len(c.path)):] {
			front += exportedName(word)
		}
		return front + c.name
	}
	for {
		wanted := map[string][]int{}
		for i := range claims {
			wanted[name(i)] = append(wanted[name(i)], i)
		}
		changed := false
		for n, all := range wanted {
			if len(all) == 1 && !used[n] {
				continue
			}
			for _, i := range all {
				if words[i] < len(claims[i].path) {
					words[i]++
					changed = true
				}
			}
		}
		if !changed {
			break
		}
	}
	given := map[string]string{}
	for i, c := range claims {
		n := name(i)
		for k := 2; used[n]; k++ {
			n = fmt.Sprintf("%s%d", name(i), k)
		}
		used[n] = true
		given[c.key] = n
	}
	return given
}

// wordsOf are the parts of an import path.
func wordsOf(p *types.Package) []string { return strings.Split(p.Path(), "/") }

// exportedName makes an identifier with a capital in front of any word.
func exportedName(word string) string {
	var b strings.Builder
	upper := true
	for _, c := range word {
		switch {
		case !unicode.IsLetter(c) && !unicode.IsDigit(c) && c != '_':
			upper = true // the next letter begins a word
		case upper:
			b.WriteRune(unicode.ToUpper(c))
			upper = false
		default:
			b.WriteRune(c)
		}
	}
	if first, _ := utf8.DecodeRuneInString(b.String()); unicode.IsDigit(first) {
		return "_" + b.String()
	}
	return b.String()
}

// typeWords is the name that a type wants: Message; PageOfMessage for Page[Message].
func typeWords(t types.Type) string {
	switch t := types.Unalias(t).(type) {
	case *types.Named:
		name := exportedName(t.Obj().Name())
		for i := range t.TypeArgs().Len() {
			name += []string{"Of", "And"}[min(i, 1)] + typeWords(t.TypeArgs().At(i))
		}
		return name
	case *types.Basic:
		return exportedName(t.Name())
	case *types.Pointer:
		return typeWords(t.Elem()) + "OrNull"
	case *types.Slice:
		return typeWords(t.Elem()) + "List"
	case *types.Array:
		return fmt.Sprintf("%s%dList", typeWords(t.Elem()), t.Len())
	case *types.Map:
		return typeWords(t.Key()) + "To" + typeWords(t.Elem()) + "Map"
	case *types.Interface:
		return "Any"
	}
	return "Struct"
}

// notParameters are the words that cannot name a parameter in TypeScript, or mean something there.
var notParameters = strings.Fields(`arguments await break case catch class const continue debugger default delete do else enum eval export extends false finally for function
	if implements import in instanceof interface let new null package private protected public return static super switch this throw true try typeof var void while with yield`)

// parameterNames names the parameters of a method: each has a name, and its own.
func parameterNames(params []param) []string {
	var names []string
	for i, p := range params {
		name := p.name
		if name == "" || name == "_" || !plainName.MatchString(name) {
			name = fmt.Sprintf("arg%d", i+1)
		}
		for slices.Contains(notParameters, name) || slices.Contains(names, name) {
			name += "_"
		}
		names = append(names, name)
	}
	return names
}
