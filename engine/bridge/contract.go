package bridge

import (
	"context"
	"maps"
	"slices"

	"pylego/engine/fault"
	"pylego/engine/report"
)

// Contract is everything that the two sides of the bridge must agree on. One
// test in Python compares it with Python's own lists.
type Contract struct {
	Operations []string      `json:"operations"`
	Messages   []MessageType `json:"messages"`
	Events     []report.Kind `json:"events"`
	Errors     []fault.Entry `json:"errors"`
}

// describe is the operation "contract" for a table.
func (t Table) describe(context.Context, struct{}, report.Reporter) (Contract, error) {
	return Contract{
		Operations: slices.Sorted(maps.Keys(t)),
		Messages:   MessageTypes,
		Events:     report.Kinds,
		Errors:     fault.Table,
	}, nil
}
