package bridge

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"

	legoacme "github.com/go-acme/lego/v5/acme"

	"pylego/engine/acme"
	"pylego/engine/caller"
	"pylego/engine/fault"
	"pylego/engine/fuzzing"
	"pylego/engine/report"
)

// typed is an input with a field of every kind that the operations' inputs have.
type typed struct {
	Caller  caller.Caller     `json:"caller"`
	Text    string            `json:"text"`
	Number  int               `json:"number"`
	Seconds float64           `json:"seconds"`
	Truth   bool              `json:"truth"`
	Names   []string          `json:"names"`
	Table   map[string]string `json:"table"`
	Inner   *typed            `json:"inner"`
}

// harmless are operations that reach no network, whatever they are told.
var harmless = Table{
	"typed": operation(func(_ context.Context, in typed, reporter report.Reporter) (typed, error) {
		reporter(report.Event{Kind: report.Presented, Detail: in.Text})
		return in, nil
	}),
	"ask": table["ask"],
}

func init() { harmless["contract"] = operation(harmless.describe) }

// ended checks a job's last message, and that nothing of the job is left.
func ended(t *testing.T, e *Engine, last received) {
	t.Helper()
	switch {
	case last.Type == ResultMessage && last.Error == nil:
	case last.Type == ErrorMessage && last.Result == nil && last.Error.Detail != "" &&
		slices.ContainsFunc(fault.Table, func(entry fault.Entry) bool { return string(entry.Code) == last.Error.Code }):
	default:
		t.Errorf("%+v", last)
	}
	if batch := e.Next(0); batch != nil {
		t.Errorf("after the end came %s", batch)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.jobs) != 0 {
		t.Errorf("%d jobs are left", len(e.jobs))
	}
}

// Any request ends in one result or one error with a known code, and nothing after it.
func FuzzRequests(f *testing.F) {
	level := logLevel.Level()
	f.Cleanup(func() { logLevel.Set(level) })
	fuzzing.Run(f, func(t *testing.T, data []byte) {
		var request Request
		if json.Unmarshal(data, &request) == nil && request.Operation == "ask" {
			return // waits for its answer: the next target's
		}
		e := open(t, harmless)
		ended(t, e, end(t, e, start(e, data)))
	},
		`{"operation":"typed","input":{"caller":{"environment":"QT1i","directory":"Lw=="},"text":"x","number":1,"seconds":0.5,"truth":true,"names":["a"],"table":{"a":"b"},"inner":{}},"timeout":30,"events":true,"log_level":"INFO"}`,
		`{"operation":"contract","input":{},"timeout":0,"events":false}`,
		`{"operation":"obtain","input":{"identifiers":["a.example"]},"timeout":-1,"log_level":"NONSENSE-9"}`,
		`{"operation":"typed","input":{"inner":{"inner":{"inner":{"names":[null],"seconds":1e308}}}}}`,
	)
}

// A reply that cannot be read is passed over, any JSON is handed on, and the
// job that asked ends once.
func FuzzReplies(f *testing.F) {
	fuzzing.Run(f, func(t *testing.T, data []byte) {
		e := open(t, harmless)
		job := start(e, []byte(`{"operation":"ask","input":{}}`))
		asked := collect(t, e, func(m received) bool { return m.Type == QuestionMessage })
		id := asked[len(asked)-1].Question.ID
		var any struct{ ID uint64 }
		if json.Unmarshal(data, &any) == nil && any.ID == id {
			return // guessed
		}
		e.Reply(job, data)
		e.Reply(job, fmt.Appendf(nil, `{"id":%d,"answer":%s}`, id, data))
		e.Reply(job, fmt.Appendf(nil, `{"id":%d,"answer":"a second one"}`, id))
		last := end(t, e, job)
		ended(t, e, last)
		var compact bytes.Buffer
		if json.Compact(&compact, data) == nil && last.Type != ResultMessage {
			t.Errorf("%s became %+v", data, last)
		}
	}, `{"id":1,"answer":{"yes":true}}`, `{"records":["a","b"],"error":null}`, `"text"`, `{"id":18446744073709551615}`, `[[[[]]]]`)
}

// lines are what Serve writes. It does not wait for its writer: the pipe's other
// end may have stopped reading.
type lines struct {
	mu      sync.Mutex
	written [][]byte
}

func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.written = append(l.written, bytes.Clone(line))
	return len(line), nil
}

func (l *lines) all() [][]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.written)
}

// Whatever comes through the pipe of `lego serve`, it ends with the pipe, and
// sends lines that Python can read.
func FuzzCalls(f *testing.F) {
	fuzzing.Run(f, func(t *testing.T, data []byte) {
		var messages lines
		if err := Serve(harmless, bytes.NewReader(data), &messages, nil); err != nil && err.Error() == "" {
			t.Error("an error without a word")
		}
		for _, line := range messages.all() {
			var batch []received
			if err := json.Unmarshal(line, &batch); err != nil || len(batch) == 0 {
				t.Errorf("%q: %v", line, err)
			}
		}
	},
		`{"verb":"start","job":1,"body":{"operation":"typed","input":{"text":"x"},"events":true}}{"verb":"cancel","job":1}`,
		`{"verb":"start","job":1,"body":{"operation":"ask","input":{}}}`+"\n"+`{"verb":"reply","job":1,"body":{"id":1,"answer":2}}`+"\n"+`{"verb":"start","job":1}`,
		`{"verb":"stop"}`,
	)
}

// Whatever a CA calls its problem, the error has all that Python makes an
// exception of.
func FuzzProblems(f *testing.F) {
	fuzzing.Run(f, func(t *testing.T, data []byte) {
		problem := &acme.Problem{}
		if json.Unmarshal(data, &problem.ProblemDetails) != nil {
			return
		}
		attempt := fault.Attempt{Detail: problem.Detail, Problem: &problem.ProblemDetails}
		for _, err := range []error{problem, &fault.Error{Code: fault.ChallengeFailed, Attempts: []fault.Attempt{attempt}, Err: problem}} {
			data := Describe(err)
			if data.Type != "acme" || data.Code == "" || data.Phase == "" || data.ACMEType != problem.Type || len(data.Subproblems) != len(problem.SubProblems) {
				t.Errorf("%+v", data)
			}
			if !slices.IsSortedFunc(data.Subproblems, func(a, b Subproblem) int {
				return bytes.Compare([]byte(a.Identifier.Value), []byte(b.Identifier.Value))
			}) {
				t.Errorf("%+v", data.Subproblems)
			}
			if _, err := json.Marshal(Message{Type: ErrorMessage, Error: data}); err != nil {
				t.Error(err)
			}
		}
	},
		`{"type":"`+legoacme.RateLimitedErrorType+`","detail":"slow down","status":429}`,
		`{"type":"urn:ietf:params:acme:error:compound","subproblems":[{"type":"urn:ietf:params:acme:error:caa","detail":"no","identifier":{"type":"dns","value":"b"}},{"type":"","identifier":{"value":"a"}},{}]}`,
		`{"type":":::","detail":"\ud800","status":-1}`,
	)
}
