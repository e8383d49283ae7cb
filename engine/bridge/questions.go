package bridge

import (
	"context"
	"encoding/json"
	"sync/atomic"

	"pylego/engine/fault"
)

// Asker puts a question to the caller's own code and waits for the reply.
type Asker func(ctx context.Context, ask string, input any) (json.RawMessage, error)

type askerKey struct{}

var lastQuestion atomic.Uint64

func withAsker(ctx context.Context, e *Engine, id uint64) context.Context {
	return context.WithValue(ctx, askerKey{}, Asker(func(ctx context.Context, ask string, input any) (json.RawMessage, error) {
		return e.ask(ctx, id, ask, input)
	}))
}

// Ask asks the caller of the job that ctx belongs to.
func Ask(ctx context.Context, ask string, input any) (json.RawMessage, error) {
	asker, ok := ctx.Value(askerKey{}).(Asker)
	if !ok {
		return nil, fault.New(fault.EngineError, "nobody can be asked about %q here", ask)
	}
	return asker(ctx, ask, input)
}

func (e *Engine) ask(ctx context.Context, id uint64, ask string, input any) (json.RawMessage, error) {
	question := &Question{ID: lastQuestion.Add(1), Ask: ask, Input: input}
	answered := make(chan json.RawMessage, 1)
	e.mu.Lock()
	j := e.jobs[id]
	e.mu.Unlock()
	if j == nil {
		return nil, fault.New(fault.EngineError, "the job has ended")
	}
	j.mu.Lock()
	j.questions[question.ID] = answered
	j.mu.Unlock()
	e.send(Message{Job: id, Type: QuestionMessage, Question: question})
	select {
	case answer := <-answered:
		return answer, nil
	case <-ctx.Done():
		j.mu.Lock()
		delete(j.questions, question.ID)
		j.mu.Unlock()
		return nil, ctx.Err()
	}
}
