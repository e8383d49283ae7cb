package bridge

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"time"

	"pylego/engine/fault"
	"pylego/engine/question"
)

var lastQuestion atomic.Uint64

// asker puts a job's questions to the other end.
func (e *Engine) asker(id uint64) question.Asker {
	return func(ctx context.Context, grace time.Duration, ask string, input any) (json.RawMessage, error) {
		return e.ask(ctx, id, grace, ask, input)
	}
}

func (e *Engine) ask(ctx context.Context, id uint64, grace time.Duration, ask string, input any) (json.RawMessage, error) {
	asked := &Question{ID: lastQuestion.Add(1), Ask: ask, Input: input}
	answered := make(chan json.RawMessage, 1)
	e.mu.Lock()
	j := e.jobs[id]
	e.mu.Unlock()
	if j == nil {
		return nil, fault.New(fault.EngineError, "the job has ended")
	}
	j.mu.Lock()
	j.questions[asked.ID] = answered
	j.mu.Unlock()
	defer func() {
		j.mu.Lock()
		delete(j.questions, asked.ID)
		j.mu.Unlock()
	}()
	e.send(Message{Job: id, Type: QuestionMessage, Question: asked})
	select {
	case answer := <-answered:
		return answer, nil
	case <-ctx.Done():
	}
	e.send(Message{Job: id, Type: WithdrawnMessage, Withdrawn: asked.ID})
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-answered: // whatever it says, the order is over
	case <-timer.C:
	}
	return nil, ctx.Err()
}
