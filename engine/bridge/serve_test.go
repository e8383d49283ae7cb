package bridge

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// serving is a Serve whose pipes are the test's.
type serving struct {
	calls    *io.PipeWriter
	messages *bufio.Scanner
	orphaned chan struct{}
	ended    chan error
}

func serve(t *testing.T) *serving {
	t.Helper()
	calls, toCalls := io.Pipe()
	messages, fromMessages := io.Pipe()
	s := &serving{toCalls, bufio.NewScanner(messages), make(chan struct{}), make(chan error, 1)}
	go func() {
		s.ended <- Serve(table, calls, fromMessages, s.orphaned)
		fromMessages.Close()
		calls.Close()
	}()
	t.Cleanup(func() { toCalls.Close(); messages.Close() })
	return s
}

func (s *serving) call(t *testing.T, verb string, job int, body string) {
	t.Helper()
	if _, err := fmt.Fprintf(s.calls, `{"verb": %q, "job": %d, "body": %s}`+"\n", verb, job, body); err != nil {
		t.Fatal(err)
	}
}

// last reads messages until a job's last one.
func (s *serving) last(t *testing.T, job uint64) received {
	t.Helper()
	for s.messages.Scan() {
		var batch []received
		if err := json.Unmarshal(s.messages.Bytes(), &batch); err != nil {
			t.Fatal(err)
		}
		for _, message := range batch {
			if message.Job == job && (message.Type == ResultMessage || message.Type == ErrorMessage) {
				return message
			}
		}
	}
	t.Fatalf("job %d has no end: %v", job, s.messages.Err())
	return received{}
}

func (s *serving) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-s.ended:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("it serves on")
		return nil
	}
}

func TestTheSameMessagesGoThroughPipes(t *testing.T) {
	s := serve(t)
	s.call(t, "start", 7, string(request("echo", "")))
	if message := s.last(t, 7); message.Type != ResultMessage || string(message.Result) != `{"text":"x","count":0}` {
		t.Errorf("%+v", message)
	}
	s.call(t, "start", 8, string(request("wait", "")))
	s.call(t, "cancel", 8, "null")
	if message := s.last(t, 8); message.Error == nil || message.Error.Code != "cancelled" {
		t.Errorf("%+v", message)
	}
	s.calls.Close()
	if err := s.end(t); err != nil {
		t.Error(err)
	}
}

func TestServingEndsWithTheCallerAndCleansUp(t *testing.T) {
	for name, leave := range map[string]func(*serving){
		"end of file": func(s *serving) { s.calls.Close() },
		"orphaned":    func(s *serving) { close(s.orphaned) },
	} {
		s := serve(t)
		s.call(t, "start", 1, string(request("wait", "")))
		s.messages.Scan() // it runs
		leave(s)
		if err := s.end(t); err != nil {
			t.Error(name, err)
		}
	}
}

func TestACallThatCannotBeUnderstoodEndsTheProcess(t *testing.T) {
	for line, want := range map[string]string{
		`garbage`:                   "cannot be read",
		`{"verb": "jump"}`:          `no verb "jump"`,
		`{"verb": "start"}`:         "its number is 0",
		`{"verb": 1}`:               "cannot be read",
		`{"verb": "start", "job": `: "cannot be read",
	} {
		s := serve(t)
		_, _ = io.WriteString(s.calls, line+"\n")
		s.calls.Close()
		if err := s.end(t); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
}
