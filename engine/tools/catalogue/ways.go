package main

import (
	"go/ast"
	"slices"
)

// ways are the sets of variables of which a provider needs one: of the table, or of
// its constructor.
func ways(code string, source *source) []Way {
	if known, ok := alternatives[code]; ok {
		return known
	}
	if way := source.wants(); len(way) > 0 {
		return []Way{way}
	}
	return []Way{}
}

// wants are the variables without which NewDNSProvider fails for certain: those that
// it asks for in statements of the kind
//
//	values, err := env.Get(EnvUser, EnvPassword)
//	if err != nil {
//		return nil, ...
//	}
//
// before any other way out of it.
func (s *source) wants() Way {
	constructor := s.function("NewDNSProvider")
	if constructor == nil {
		return nil
	}
	var way Way
	var asked [][]string // by the statement before
	for _, statement := range constructor.Body.List {
		switch statement := statement.(type) {
		case *ast.AssignStmt:
			asked = s.asked(statement)
			continue
		case *ast.IfStmt:
			if asked != nil && !onlyFails(statement) {
				return way
			}
			if !leaves(statement) || onlyFails(statement) {
				way = append(way, asked...)
				asked = nil
				continue
			}
		}
		if leaves(statement) {
			return way
		}
		asked = nil
	}
	return way
}

// asked are the names in `values, err := env.Get(...)`.
func (s *source) asked(assign *ast.AssignStmt) [][]string {
	if len(assign.Rhs) != 1 {
		return nil
	}
	call, ok := assign.Rhs[0].(*ast.CallExpr)
	if !ok || called(call) != "env.Get" && called(call) != "env.GetWithFallback" {
		return nil
	}
	groups := s.groups(call)
	if slices.ContainsFunc(groups, func(group []string) bool { return slices.Contains(group, "") }) {
		return nil
	}
	return groups
}

// onlyFails tells `if err != nil { return nil, ... }`.
func onlyFails(statement *ast.IfStmt) bool {
	condition, ok := statement.Cond.(*ast.BinaryExpr)
	if !ok || statement.Init != nil || statement.Else != nil || len(statement.Body.List) != 1 {
		return false
	}
	left, isName := condition.X.(*ast.Ident)
	back, returns := statement.Body.List[0].(*ast.ReturnStmt)
	if !isName || !returns || left.Name != "err" || condition.Op.String() != "!=" || len(back.Results) != 2 {
		return false
	}
	first, ok := back.Results[0].(*ast.Ident)
	return ok && first.Name == "nil"
}

// leaves tells whether a statement may return from the function.
func leaves(statement ast.Stmt) bool {
	found := false
	ast.Inspect(statement, func(node ast.Node) bool {
		switch node.(type) {
		case *ast.FuncLit:
			return false
		case *ast.ReturnStmt:
			found = true
		}
		return true
	})
	return found
}
