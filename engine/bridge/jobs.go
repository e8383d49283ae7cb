package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"pylego/engine/caller"
	"pylego/engine/fault"
	"pylego/engine/question"
	"pylego/engine/report"
)

// idle is how long no job has run when memory goes back to the system: that takes a
// collection, a millisecond that no job should wait for.
const idle = time.Second

// Engine runs the jobs of one caller and keeps their messages until it asks.
type Engine struct {
	operations Table
	wake       func() // told when the first message is waiting

	mu       sync.Mutex
	jobs     map[uint64]*job
	queue    []json.RawMessage
	nonEmpty chan struct{} // holds a value while messages wait
	running  sync.WaitGroup
	resting  *time.Timer // runs while no job does
	closing  bool        // no job begins any more
	closed   bool        // and no message is kept
}

type job struct {
	cancel    context.CancelFunc
	mu        sync.Mutex
	questions map[uint64]chan json.RawMessage
}

// Open makes an Engine. wake is called without blocking anything when messages
// begin to wait, and not again before Next has taken them.
func Open(operations Table, wake func()) *Engine {
	e := &Engine{operations: operations, wake: wake, jobs: map[uint64]*job{}, nonEmpty: make(chan struct{}, 1)}
	e.resting = time.AfterFunc(idle, debug.FreeOSMemory)
	listenToLogs(e)
	return e
}

// Start begins a job under the caller's own number: so it can cancel a job whose
// start it has not seen come back, and knows the job of each message. A request
// that cannot be understood is a job that fails at once: there is one way to learn
// of an error. A closed engine, and a number that is 0 or in use, are refused.
func (e *Engine) Start(id uint64, message []byte) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closing || id == 0 || e.jobs[id] != nil {
		return false
	}
	ctx, cancel := context.WithCancel(context.Background())
	e.jobs[id] = &job{cancel: cancel, questions: map[uint64]chan json.RawMessage{}}
	e.running.Add(1)
	e.resting.Stop()
	go func() {
		defer e.running.Done()
		defer cancel()
		e.run(ctx, id, message)
	}()
	return true
}

func (e *Engine) run(ctx context.Context, id uint64, message []byte) {
	began := time.Now()
	var result any
	err := fault.Guard(func() error {
		var request Request
		if err := json.Unmarshal(message, &request); err != nil {
			return fault.New(fault.InvalidArguments, "the request is not a JSON object of the engine's: %v", err)
		}
		operation, known := e.operations[request.Operation]
		if !known {
			return fault.New(fault.InvalidArguments, "the engine has no operation %q", request.Operation)
		}
		setLogLevel(request.LogLevel)
		if request.Timeout > 0 {
			var stop context.CancelFunc
			ctx, stop = context.WithTimeout(ctx, caller.Seconds(request.Timeout))
			defer stop()
		}
		reporter := report.Discard
		if request.Events {
			var telling sync.Mutex // or a later event could overtake an earlier one
			reporter = func(event report.Event) {
				telling.Lock()
				defer telling.Unlock()
				event.Elapsed = time.Since(began).Seconds()
				e.send(Message{Job: id, Type: EventMessage, Event: &event})
			}
		}
		var err error
		result, err = operation.run(question.With(ctx, e.asker(id)), request.Input, reporter)
		return err
	})
	if err != nil {
		e.send(Message{Job: id, Type: ErrorMessage, Error: Describe(err)})
		return
	}
	e.send(Message{Job: id, Type: ResultMessage, Result: result})
}

// send queues a message of a job that runs. A result or an error is its last: what
// a straggler reports after it is dropped.
func (e *Engine) send(message Message) {
	encoded, err := json.Marshal(message)
	if err != nil {
		failure := &ErrorData{Type: "lego"}
		failure.set(fault.MarshalingFailed, fmt.Sprintf("cannot encode a message of type %s: %v", message.Type, err))
		message = Message{Job: message.Job, Type: ErrorMessage, Error: failure}
		encoded, _ = json.Marshal(message)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if message.Job != 0 && e.jobs[message.Job] == nil {
		return
	}
	if message.Type == ResultMessage || message.Type == ErrorMessage {
		delete(e.jobs, message.Job)
		if len(e.jobs) == 0 {
			e.resting.Reset(idle)
		}
	}
	e.enqueue(encoded)
}

// enqueue is called with the mutex held.
func (e *Engine) enqueue(message json.RawMessage) {
	if e.closed {
		return
	}
	e.queue = append(e.queue, message)
	if len(e.queue) == 1 {
		e.nonEmpty <- struct{}{}
		e.wake()
	}
}

// Next takes all waiting messages as one JSON array; nil if there are none
// within the timeout. Negative: as long as it takes.
func (e *Engine) Next(timeout time.Duration) []byte {
	var expired <-chan time.Time
	if timeout >= 0 {
		timer := time.NewTimer(timeout)
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case <-e.nonEmpty:
	default:
		select {
		case <-e.nonEmpty:
		case <-expired:
			return nil
		}
	}
	e.mu.Lock()
	taken := e.queue
	e.queue = nil
	e.mu.Unlock()
	if len(taken) == 0 {
		return nil // closed
	}
	batch := []byte{'['}
	for i, message := range taken {
		if i > 0 {
			batch = append(batch, ',')
		}
		batch = append(batch, message...)
	}
	return append(batch, ']')
}

// Cancel ends a job's context; its error follows when it has cleaned up. That of
// a job that is not there follows at once: its caller may have been interrupted
// before the start, or not yet have seen the end.
func (e *Engine) Cancel(id uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if j := e.jobs[id]; j != nil {
		j.cancel()
		return
	}
	encoded, _ := json.Marshal(Message{Job: id, Type: ErrorMessage, Error: Describe(context.Canceled)})
	e.enqueue(encoded)
}

// Close cancels every job, waits at most so long for their clean-up, and drops
// the messages that nobody has taken.
func (e *Engine) Close(wait time.Duration) error {
	e.mu.Lock()
	e.closing = true
	for _, j := range e.jobs {
		j.cancel()
	}
	e.mu.Unlock()
	ended := make(chan struct{})
	go func() { e.running.Wait(); close(ended) }()
	var err error
	select {
	case <-ended:
	case <-time.After(wait):
		err = errors.New("jobs were still cleaning up")
	}
	stopListeningToLogs(e)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.resting.Stop()
	if !e.closed {
		e.closed, e.queue = true, nil
		close(e.nonEmpty) // for all who are in Next
	}
	return err
}

// Reply answers a job's question.
func (e *Engine) Reply(id uint64, message []byte) {
	var answer struct {
		ID     uint64          `json:"id"`
		Answer json.RawMessage `json:"answer"`
	}
	if err := json.Unmarshal(message, &answer); err != nil {
		slog.Error("a reply that cannot be read", "error", err)
		return
	}
	e.mu.Lock()
	j := e.jobs[id]
	e.mu.Unlock()
	if j == nil {
		return // the job has ended meanwhile
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if asked := j.questions[answer.ID]; asked != nil {
		asked <- answer.Answer
		delete(j.questions, answer.ID)
	}
}
