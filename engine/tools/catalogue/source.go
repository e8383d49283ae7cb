package main

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// source is a provider's Go package with the packages below it.
type source struct {
	files  []*ast.File
	values types.Info
	// names are the environment variables that it reads, each with the one that it
	// stands in for.
	names map[string]string
	// remembers and forgets are what the functions of these names find.
	remembers, forgets bool
}

func parse(directory string) (*source, error) {
	s := &source{names: map[string]string{}, values: types.Info{
		Types: map[ast.Expr]types.TypeAndValue{},
		Defs:  map[*ast.Ident]types.Object{},
	}}
	err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		return s.parsePackage(path, path == directory)
	})
	if err != nil {
		return nil, err
	}
	return s, s.addShared(directory)
}

func (s *source) parsePackage(directory string, top bool) error {
	set := token.NewFileSet()
	files, err := parseFiles(set, directory)
	if err != nil {
		return err
	}
	// Constants are wanted, and need none of the imports.
	config := types.Config{Importer: nothing{}, Error: func(error) {}}
	config.Check(directory, set, files, &s.values) // its errors are of types that nobody asks for
	if top {
		s.files = files
	}
	s.memory(files)
	for _, file := range files {
		ast.Inspect(file, func(node ast.Node) bool {
			s.read(node)
			return true
		})
	}
	return nil
}

func parseFiles(set *token.FileSet, directory string) (files []*ast.File, err error) {
	paths, err := filepath.Glob(filepath.Join(directory, "*.go"))
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

// nothing imports every package as an empty one.
type nothing struct{}

func (nothing) Import(path string) (*types.Package, error) {
	name := path[strings.LastIndex(path, "/")+1:]
	empty := types.NewPackage(path, name)
	empty.MarkComplete()
	return empty, nil
}

// read keeps the names of variables that a node has: constants called Env..., and
// what is given to lego's env or os.Getenv.
func (s *source) read(node ast.Node) {
	switch node := node.(type) {
	case *ast.ValueSpec:
		for _, name := range node.Names {
			if strings.HasPrefix(strings.ToLower(name.Name), "env") {
				if defined, ok := s.values.Defs[name].(*types.Const); ok {
					s.keep("", text(defined.Val()))
				}
			}
		}
	case *ast.CallExpr:
		switch name := called(node); name {
		case "env.GetOneWithFallback":
			s.keep("", s.value(node.Args[0]))
			for _, argument := range node.Args[3:] {
				s.keep(s.value(node.Args[0]), s.value(argument))
			}
		case "env.GetWithFallback":
			for _, group := range s.groups(node) {
				s.keep("", group[0])
				for _, other := range group[1:] {
					s.keep(group[0], other)
				}
			}
		case "env.Get":
			for _, argument := range node.Args {
				s.keep("", s.value(argument))
			}
		default:
			if strings.HasPrefix(name, "env.GetOr") || name == "os.Getenv" || name == "os.LookupEnv" {
				s.keep("", s.value(node.Args[0]))
			}
		}
	}
}

// keep remembers a name, and what it stands in for; a name's own right comes first.
func (s *source) keep(main, name string) {
	if !variableName.MatchString(name) || strings.HasSuffix(name, "_") || strings.HasPrefix(name, "LEGO_") {
		return
	}
	if _, known := s.names[name]; !known || main == "" {
		s.names[name] = main
	}
}

// rename adds the names that stand in for others: see the table of that name.
func (s *source) rename(pairs [][2]string) {
	for _, name := range slices.Sorted(maps.Keys(s.names)) {
		for _, pair := range pairs {
			if strings.HasPrefix(name, pair[0]) {
				s.keep(name, pair[1]+strings.TrimPrefix(name, pair[0]))
			}
		}
	}
}

// called is the "package.Function" of a call.
func called(call *ast.CallExpr) string {
	function := call.Fun
	if generic, ok := function.(*ast.IndexExpr); ok {
		function = generic.X
	}
	if selector, ok := function.(*ast.SelectorExpr); ok {
		if from, ok := selector.X.(*ast.Ident); ok {
			return from.Name + "." + selector.Sel.Name
		}
	}
	return ""
}

// groups are the names in env.Get's or env.GetWithFallback's arguments.
func (s *source) groups(call *ast.CallExpr) [][]string {
	var groups [][]string
	for _, argument := range call.Args {
		list, ok := argument.(*ast.CompositeLit)
		if !ok {
			groups = append(groups, []string{s.value(argument)})
			continue
		}
		var group []string
		for _, element := range list.Elts {
			group = append(group, s.value(element))
		}
		groups = append(groups, group)
	}
	return groups
}

// value is a constant string, or what a function makes of one by replacing a part of
// it; "" for anything else.
func (s *source) value(expression ast.Expr) string {
	if value := s.values.Types[expression].Value; value != nil {
		return text(value)
	}
	call, ok := expression.(*ast.CallExpr)
	if !ok || len(call.Args) != 1 {
		return ""
	}
	name, ok := call.Fun.(*ast.Ident)
	if !ok {
		return ""
	}
	function := s.function(name.Name)
	if function == nil || len(function.Body.List) != 1 {
		return ""
	}
	back, ok := function.Body.List[0].(*ast.ReturnStmt)
	if !ok || len(back.Results) != 1 {
		return ""
	}
	replace, ok := back.Results[0].(*ast.CallExpr)
	if !ok || called(replace) != "strings.ReplaceAll" {
		return ""
	}
	return strings.ReplaceAll(s.value(call.Args[0]), s.value(replace.Args[1]), s.value(replace.Args[2]))
}

func text(value constant.Value) string {
	if value == nil || value.Kind() != constant.String {
		return ""
	}
	return constant.StringVal(value)
}

// function finds a function of the provider's own package.
func (s *source) function(name string) *ast.FuncDecl {
	for _, file := range s.files {
		for _, declaration := range file.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok && function.Recv == nil && function.Name.Name == name {
				return function
			}
		}
	}
	return nil
}

// sequential tells whether the provider wants its challenges one after the other
// (lego's dns01 asks for a method of that name).
func (s *source) sequential() bool {
	for _, file := range s.files {
		for _, declaration := range file.Decls {
			if method, ok := declaration.(*ast.FuncDecl); ok && method.Recv != nil && method.Name.Name == "Sequential" {
				return true
			}
		}
	}
	return false
}

// accepted reads the list of names that `lego` was built with.
func accepted(path string) (map[string]bool, error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	ast.Inspect(file, func(node ast.Node) bool {
		if literal, ok := node.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			name, err := strconv.Unquote(literal.Value)
			found[name] = err == nil
		}
		return true
	})
	return found, nil
}
