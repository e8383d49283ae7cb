package bridge

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pylego/engine/question"
	"pylego/engine/report"
)

type echo struct {
	Text  string `json:"text"`
	Count int    `json:"count"`
}

// table has an operation for each way in which one can end.
var table = Table{
	"echo": operation(func(_ context.Context, in echo, reporter report.Reporter) (echo, error) {
		for range in.Count {
			reporter(report.Event{Kind: report.Presented})
		}
		return in, nil
	}),
	"wait": operation(func(ctx context.Context, _ echo, reporter report.Reporter) (echo, error) {
		reporter(report.Event{Kind: report.Waiting})
		<-ctx.Done()
		return echo{}, ctx.Err()
	}),
	"ask": operation(func(ctx context.Context, in echo, _ report.Reporter) (json.RawMessage, error) {
		return question.Ask(ctx, 0, "what", in)
	}),
	"crowd": operation(func(_ context.Context, in echo, reporter report.Reporter) (echo, error) {
		var tellers sync.WaitGroup
		for range 4 {
			tellers.Go(func() {
				for range in.Count {
					reporter(report.Event{Kind: report.Presented})
				}
			})
		}
		tellers.Wait()
		return in, nil
	}),
	"panic":   operation(func(context.Context, echo, report.Reporter) (echo, error) { panic("a bug") }),
	"channel": operation(func(context.Context, echo, report.Reporter) (chan int, error) { return make(chan int), nil }),
	"stray": operation(func(_ context.Context, _ echo, reporter report.Reporter) (echo, error) {
		strays <- reporter
		return echo{}, nil
	}),
}

var strays = make(chan report.Reporter, 1)

// open gives an engine that closes with the test.
func open(t *testing.T, operations Table) *Engine {
	t.Helper()
	e := Open(operations, func() {})
	t.Cleanup(func() {
		if err := e.Close(10 * time.Second); err != nil {
			t.Error(err)
		}
	})
	return e
}

var lastJob atomic.Uint64

// start begins a job under a number of its own; 0 if it is refused.
func start(e *Engine, message []byte) uint64 {
	if id := lastJob.Add(1); e.Start(id, message) {
		return id
	}
	return 0
}

func request(operation string, fields string) []byte {
	return fmt.Appendf(nil, `{"operation": %q, "events": true, "events": true, "input": {"text": "x"%s}}`, operation, fields)
}

// received are messages as Python reads them.
type received struct {
	Job      uint64
	Type     MessageType
	Event    *report.Event
	Question *Question
	Log      *LogRecord
	Result   json.RawMessage
	Error    *ErrorData
}

// collect takes messages until enough says so.
func collect(t *testing.T, e *Engine, enough func(received) bool) (all []received) {
	t.Helper()
	for {
		batch := e.Next(20 * time.Second)
		if batch == nil {
			t.Fatalf("no more messages after %+v", all)
		}
		var messages []received
		if err := json.Unmarshal(batch, &messages); err != nil {
			t.Fatal(err)
		}
		for _, message := range messages {
			if all = append(all, message); enough(message) {
				return all
			}
		}
	}
}

// end takes messages until a job has ended, and returns its last.
func end(t *testing.T, e *Engine, job uint64) received {
	t.Helper()
	all := collect(t, e, func(m received) bool { return m.Job == job && (m.Type == ResultMessage || m.Type == ErrorMessage) })
	return all[len(all)-1]
}

func TestAJobsMessagesComeInOrder(t *testing.T) {
	e := open(t, table)
	ended := map[uint64]bool{}
	for range 32 {
		start(e, request("echo", `, "count": 50`))
	}
	counts := map[uint64]int{}
	collect(t, e, func(m received) bool {
		if m.Type == LogMessage {
			return false
		}
		if ended[m.Job] {
			t.Errorf("job %d: %s after the end", m.Job, m.Type)
		}
		if m.Type == EventMessage {
			counts[m.Job]++
		} else if ended[m.Job] = true; counts[m.Job] != 50 {
			t.Errorf("job %d ended after %d events", m.Job, counts[m.Job])
		}
		return len(ended) == 32
	})
}

func TestEventsOfManyGoroutinesComeInTheOrderOfTheirTimes(t *testing.T) {
	e := open(t, table)
	job := start(e, request("crowd", `, "count": 500`))
	last := -1.0
	collect(t, e, func(m received) bool {
		if m.Type == EventMessage {
			if m.Event.Elapsed < last {
				t.Errorf("%v after %v", m.Event.Elapsed, last)
			}
			last = m.Event.Elapsed
		}
		return m.Job == job && m.Type == ResultMessage
	})
}

func TestEventsComeOnlyWhereSomebodyListens(t *testing.T) {
	e := open(t, table)
	job := start(e, []byte(`{"operation": "echo", "input": {"count": 5}}`))
	if all := collect(t, e, func(m received) bool { return m.Job == job && m.Type != EventMessage }); len(all) != 1 {
		t.Errorf("%+v", all)
	}
}

func TestMemoryIsGivenBackWhenNoJobHasRunForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		collections := func() uint32 {
			synctest.Wait()
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			return now.NumForcedGC
		}
		e := open(t, table)
		waiting := start(e, request("wait", ""))
		start(e, request("echo", ""))
		before := collections()
		time.Sleep(2 * idle)
		if collections() != before {
			t.Error("a collection was forced while a job ran")
		}
		e.Cancel(waiting)
		synctest.Wait()
		time.Sleep(2 * idle)
		if collections() != before+1 {
			t.Error("memory was not given back after the last job")
		}
	})
}

func TestNothingFollowsTheEnd(t *testing.T) {
	e := open(t, table)
	end(t, e, start(e, request("stray", "")))
	(<-strays)(report.Event{Kind: report.CleanedUp})
	if batch := e.Next(0); batch != nil {
		t.Errorf("%s", batch)
	}
}

func TestAPanicIsAnEngineErrorAndTheEngineLives(t *testing.T) {
	e := open(t, table)
	last := end(t, e, start(e, request("panic", "")))
	if last.Error == nil || last.Error.Code != "engine_error" || !strings.Contains(last.Error.Detail, "a bug") {
		t.Errorf("%+v", last)
	}
	if last = end(t, e, start(e, request("echo", ""))); last.Type != ResultMessage {
		t.Errorf("%+v", last)
	}
}

func TestABadRequestIsAJobThatFails(t *testing.T) {
	e := open(t, table)
	for message, want := range map[string]string{
		"": "invalid_arguments", "[]": "invalid_arguments", `{"operation": "nothing"}`: "invalid_arguments",
		`{"operation": "echo", "input": {"text": 1}}`: "invalid_arguments", `{"operation": "echo"}`: "invalid_arguments",
		`{"operation": "channel", "input": {}}`: "marshaling_failed",
	} {
		if last := end(t, e, start(e, []byte(message))); last.Error == nil || last.Error.Code != want {
			t.Errorf("%s: %+v", message, last)
		}
	}
}

func TestCancelAndTimeout(t *testing.T) {
	e := open(t, table)
	job := start(e, request("wait", ""))
	collect(t, e, func(m received) bool { return m.Type == EventMessage })
	e.Cancel(job)
	if last := end(t, e, job); last.Error == nil || last.Error.Code != "cancelled" {
		t.Errorf("%+v", last)
	}
	e.Cancel(job) // the two may cross
	job = start(e, []byte(`{"operation": "wait", "input": {}, "timeout": 0.01}`))
	if last := end(t, e, job); last.Error == nil || last.Error.Code != "deadline_exceeded" {
		t.Errorf("%+v", last)
	}
}

func TestAJobThatIsNotThereIsCancelledAtOnce(t *testing.T) {
	e := open(t, table)
	e.Cancel(77) // its caller was interrupted before the start
	if last := end(t, e, 77); last.Error == nil || last.Error.Code != "cancelled" {
		t.Errorf("%+v", last)
	}
	if !e.Start(77, request("echo", "")) {
		t.Error("its number is used up")
	}
}

func TestNextWaitsNoLongerThanItMay(t *testing.T) {
	e := open(t, table)
	for _, timeout := range []time.Duration{0, 20 * time.Millisecond} {
		began := time.Now()
		if batch := e.Next(timeout); batch != nil || time.Since(began) < timeout {
			t.Errorf("%s after %v", batch, time.Since(began))
		}
	}
}

func TestWakeIsCalledOncePerBatch(t *testing.T) {
	woken := make(chan struct{}, 100)
	e := Open(table, func() { woken <- struct{}{} })
	defer func() { _ = e.Close(time.Second) }()
	for range 3 {
		job := start(e, request("echo", `, "count": 10`))
		<-woken
		for e.Next(20*time.Second) != nil {
			e.mu.Lock()
			ended := e.jobs[job] == nil && len(e.queue) == 0
			e.mu.Unlock()
			if ended {
				break
			}
		}
	}
	if e.Next(0) != nil {
		t.Error("messages without a call of wake")
	}
}

func TestCloseEndsJobsAndWhoeverIsInNext(t *testing.T) {
	e := Open(table, func() {})
	start(e, request("wait", ""))
	collect(t, e, func(m received) bool { return m.Type == EventMessage })
	var waiting sync.WaitGroup
	for range 3 {
		waiting.Go(func() {
			for e.Next(-1) != nil {
			}
		})
	}
	if err := e.Close(10 * time.Second); err != nil {
		t.Error(err)
	}
	ended := make(chan struct{})
	go func() { waiting.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("Next waits for a closed engine")
	}
	if start(e, request("echo", "")) != 0 || e.Close(time.Second) != nil {
		t.Error("a closed engine works")
	}
}

func TestCloseIsBounded(t *testing.T) {
	release := make(chan struct{})
	e := Open(Table{"stuck": operation(func(context.Context, echo, report.Reporter) (echo, error) {
		<-release
		return echo{}, nil
	})}, func() {})
	start(e, request("stuck", ""))
	if err := e.Close(20 * time.Millisecond); err == nil {
		t.Error("closed with a job that runs")
	}
	close(release)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); runtime.Gosched() {
		e.mu.Lock()
		left := len(e.jobs)
		e.mu.Unlock()
		if left == 0 {
			return
		}
	}
	t.Error("the late job is still there")
}

func TestNoJobStartsOnceCloseHasBegun(t *testing.T) {
	cancelled, release := make(chan struct{}), make(chan struct{})
	e := Open(Table{"slow": operation(func(ctx context.Context, _ echo, _ report.Reporter) (echo, error) {
		<-ctx.Done()
		close(cancelled)
		<-release
		return echo{}, nil
	})}, func() {})
	start(e, request("slow", ""))
	closed := make(chan error)
	go func() { closed <- e.Close(10 * time.Second) }()
	<-cancelled
	if start(e, request("slow", "")) != 0 {
		t.Error("started")
	}
	close(release)
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

func TestAQuestionIsAnswered(t *testing.T) {
	e := open(t, table)
	job := start(e, request("ask", ""))
	all := collect(t, e, func(m received) bool { return m.Type == QuestionMessage })
	question := all[len(all)-1].Question
	if question.Ask != "what" {
		t.Errorf("%+v", question)
	}
	e.Reply(job, []byte("not JSON"))
	e.Reply(job, []byte(`{"id": 0, "answer": 1}`))
	e.Reply(job+1, fmt.Appendf(nil, `{"id": %d, "answer": 2}`, question.ID))
	for range 2 { // an answer that comes twice counts once
		e.Reply(job, fmt.Appendf(nil, `{"id": %d, "answer": {"yes": true}}`, question.ID))
	}
	if last := end(t, e, job); string(last.Result) != `{"yes":true}` {
		t.Errorf("%+v", last)
	}
}

func TestACancelledQuestionIsNotWaitedFor(t *testing.T) {
	e := open(t, table)
	job := start(e, request("ask", ""))
	collect(t, e, func(m received) bool { return m.Type == QuestionMessage })
	e.Cancel(job)
	if last := end(t, e, job); last.Error == nil || last.Error.Code != "cancelled" {
		t.Errorf("%+v", last)
	}
	if _, err := question.Ask(t.Context(), 0, "what", nil); err == nil {
		t.Error("asked without a job")
	}
}
