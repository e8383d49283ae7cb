package main

import (
	"go/ast"
	"go/token"
	"iter"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// shared is where lego keeps what several of its providers are made of.
const shared = module + "/providers/dns/internal/"

// addShared reads the shared packages that a provider is made of.
func (s *source) addShared(directory string) error {
	for _, file := range s.files {
		for _, imported := range file.Imports {
			path, _ := strconv.Unquote(imported.Path.Value)
			name, ours := strings.CutPrefix(path, shared)
			if !ours {
				continue
			}
			files, err := parseFiles(token.NewFileSet(), filepath.Join(filepath.Dir(directory), "internal", name))
			if err != nil {
				return err
			}
			s.memory(files)
		}
	}
	return nil
}

// memory keeps what a package's files say of the provider's memory.
func (s *source) memory(files []*ast.File) {
	s.remembers = s.remembers || remembers(files)
	s.forgets = s.forgets || forgets(files)
}

// remembers tells whether CleanUp asks a map of the provider's for what Present has
// put there: in another process the map is empty, and the record is not found.
func remembers(files []*ast.File) bool {
	var put, asked []string
	for receiver, body := range methods(files, "Present") {
		put = append(put, assigned(body, receiver)...)
	}
	for receiver, body := range methods(files, "CleanUp") {
		asked = append(asked, indexed(body, receiver)...)
	}
	return slices.ContainsFunc(put, func(field string) bool { return slices.Contains(asked, field) })
}

// forgets tells whether CleanUp takes the record off its map before it asks the API,
// and says that all is well where it is not on the map: after a failure it says so.
func forgets(files []*ast.File) bool {
	for receiver, body := range methods(files, "CleanUp") {
		silent, forgotten := false, false
		for _, statement := range body.List {
			switch statement := statement.(type) {
			case *ast.IfStmt:
				silent = silent || succeeds(statement.Body)
			case *ast.ExprStmt:
				if call, ok := statement.X.(*ast.CallExpr); ok {
					name, ok := call.Fun.(*ast.Ident)
					forgotten = forgotten || ok && name.Name == "delete"
				}
			}
			if silent && forgotten && uses(statement, receiver, "client") {
				return true
			}
		}
	}
	return false
}

// succeeds tells `{ return nil }`.
func succeeds(body *ast.BlockStmt) bool {
	if len(body.List) != 1 {
		return false
	}
	back, ok := body.List[0].(*ast.ReturnStmt)
	if !ok || len(back.Results) != 1 {
		return false
	}
	result, ok := back.Results[0].(*ast.Ident)
	return ok && result.Name == "nil"
}

// methods are the bodies of the methods of that name, by the receiver's.
func methods(files []*ast.File, name string) iter.Seq2[string, *ast.BlockStmt] {
	return func(yield func(string, *ast.BlockStmt) bool) {
		for _, file := range files {
			for _, declaration := range file.Decls {
				method, ok := declaration.(*ast.FuncDecl)
				if !ok || method.Name.Name != name || method.Recv == nil || len(method.Recv.List[0].Names) == 0 {
					continue
				}
				if !yield(method.Recv.List[0].Names[0].Name, method.Body) {
					return
				}
			}
		}
	}
}

// assigned are the receiver's fields of which an element is set.
func assigned(body ast.Node, receiver string) (fields []string) {
	ast.Inspect(body, func(node ast.Node) bool {
		if statement, ok := node.(*ast.AssignStmt); ok {
			for _, target := range statement.Lhs {
				if index, ok := target.(*ast.IndexExpr); ok {
					fields = append(fields, field(index, receiver)...)
				}
			}
		}
		return true
	})
	return fields
}

// indexed are those of which an element is used at all.
func indexed(body ast.Node, receiver string) (fields []string) {
	ast.Inspect(body, func(node ast.Node) bool {
		if index, ok := node.(*ast.IndexExpr); ok {
			fields = append(fields, field(index, receiver)...)
		}
		return true
	})
	return fields
}

// uses tells whether a field of the receiver's is named.
func uses(node ast.Node, receiver, name string) (found bool) {
	ast.Inspect(node, func(node ast.Node) bool {
		if expression, ok := node.(ast.Expr); ok {
			found = found || slices.Equal(selected(expression, receiver), []string{name})
		}
		return !found
	})
	return found
}

// field is "name" of `receiver.name[...]`.
func field(index *ast.IndexExpr, receiver string) []string {
	return selected(index.X, receiver)
}

// selected is "name" of `receiver.name`.
func selected(expression ast.Expr, receiver string) []string {
	if selector, ok := expression.(*ast.SelectorExpr); ok {
		if owner, ok := selector.X.(*ast.Ident); ok && owner.Name == receiver {
			return []string{selector.Sel.Name}
		}
	}
	return nil
}
