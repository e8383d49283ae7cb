// Package question lets an operation ask the code of whoever called it.
package question

import (
	"context"
	"encoding/json"
	"time"

	"pylego/engine/fault"
)

// Asker puts a question to the caller's own code and waits for the reply. When the
// context ends it withdraws the question, and hears the reply for a grace longer:
// what was begun must have ended before it can be undone.
type Asker func(ctx context.Context, grace time.Duration, ask string, input any) (json.RawMessage, error)

type askerKey struct{}

// With makes the asker known to everything that gets the context.
func With(ctx context.Context, asker Asker) context.Context {
	return context.WithValue(ctx, askerKey{}, asker)
}

// Ask asks the caller of the operation that ctx belongs to.
func Ask(ctx context.Context, grace time.Duration, ask string, input any) (json.RawMessage, error) {
	asker, ok := ctx.Value(askerKey{}).(Asker)
	if !ok {
		return nil, fault.New(fault.EngineError, "nobody can be asked about %q here", ask)
	}
	return asker(ctx, grace, ask, input)
}

// Do has the caller's code do something, and tells what it says went wrong: nothing, "".
func Do(ctx context.Context, grace time.Duration, ask string, input any) (refusal string, err error) {
	reply, err := Ask(ctx, grace, ask, input)
	if err != nil {
		return "", err
	}
	var said struct {
		Error string `json:"error"`
	}
	if err := json.Unmarshal(reply, &said); err != nil {
		return "", fault.Wrap(fault.EngineError, err, "the answer to a question cannot be read")
	}
	return said.Error, nil
}
