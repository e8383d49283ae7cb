package bridge

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// The verbs of the C interface that a pipe carries. There is none for the end: it
// is the end of the pipe.
const (
	startVerb  = "start"
	replyVerb  = "reply"
	cancelVerb = "cancel"
)

// call is one line from the other end.
type call struct {
	Verb string          `json:"verb"`
	Job  uint64          `json:"job"`
	Body json.RawMessage `json:"body,omitempty"` // a Request to start, an answer to reply
}

// lastCleanUp is for jobs whose caller has gone. It is short: whoever killed the
// caller expects its processes to be gone within two seconds.
const lastCleanUp = 750 * time.Millisecond

// Serve is an engine at the other end of two pipes, for a process in which no Go
// can run. Calls come in, one JSON object after the other; batches of messages go
// out, each a JSON array on a line of its own. It returns when the calls end, the
// caller has gone, or one of the two cannot be understood.
func Serve(operations Table, calls io.Reader, messages io.Writer, orphaned <-chan struct{}) error {
	e := Open(operations, func() {})
	ended := make(chan error, 2)
	go func() { ended <- e.take(calls) }()
	go func() { ended <- e.hand(messages) }()
	var err error
	select {
	case err = <-ended:
	case <-orphaned:
	}
	return errors.Join(err, e.Close(lastCleanUp))
}

func (e *Engine) take(calls io.Reader) error {
	decoder := json.NewDecoder(calls)
	for {
		var c call
		if err := decoder.Decode(&c); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("a call that cannot be read: %w", err)
		}
		switch c.Verb {
		case startVerb:
			if !e.Start(c.Job, c.Body) {
				return fmt.Errorf("job %d cannot be started: its number is 0 or in use", c.Job)
			}
		case replyVerb:
			e.Reply(c.Job, c.Body)
		case cancelVerb:
			e.Cancel(c.Job)
		default:
			return fmt.Errorf("the engine has no verb %q", c.Verb)
		}
	}
}

func (e *Engine) hand(messages io.Writer) error {
	for {
		batch := e.Next(-1)
		if batch == nil {
			return nil
		}
		if _, err := messages.Write(append(batch, '\n')); err != nil {
			return err
		}
	}
}
