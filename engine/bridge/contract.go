package bridge

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"

	"pylego/engine/account"
	"pylego/engine/fault"
	"pylego/engine/report"
)

// Contract is everything that the two sides of the bridge must agree on. One
// test in Python compares it with Python's own lists.
type Contract struct {
	Operations  []string      `json:"operations"`
	Messages    []MessageType `json:"messages"`
	Events      []report.Kind `json:"events"`
	EventFields []string      `json:"event_fields"`
	Errors      []fault.Entry `json:"errors"`

	Directories map[string]string `json:"directories"` // of the CAs that lego has a code for
}

// describe is the operation "contract" for a table.
func (t Table) describe(context.Context, struct{}, report.Reporter) (Contract, error) {
	return Contract{
		Operations:  slices.Sorted(maps.Keys(t)),
		Messages:    MessageTypes,
		Events:      report.Kinds,
		EventFields: fields(reflect.TypeFor[report.Event]()),
		Errors:      fault.Table,
		Directories: account.Directories(),
	}, nil
}

// fields names a type's fields as JSON has them.
func fields(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}
