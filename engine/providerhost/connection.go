package providerhost

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	// writeTimeout is for a host that has stopped reading, which none does while it lives.
	writeTimeout = 2 * time.Second
	// cancelGrace is how long a cancelled call may take to return, most do at once;
	// a call that has not returned by then hangs.
	cancelGrace = 500 * time.Millisecond
)

// connection is the engine's end of the pipes: requests go out, answers find
// the request they belong to.
type connection struct {
	out    *frameWriter
	log    func(logBody)
	closed chan struct{} // the host has closed its end, or broken the protocol

	mu      sync.Mutex
	last    uint64
	pending map[uint64]chan frame
	err     error // why it is closed
}

func newConnection(process *process, log func(logBody)) *connection {
	c := &connection{
		out:     &frameWriter{w: process.requests},
		log:     log,
		closed:  make(chan struct{}),
		pending: map[uint64]chan frame{},
	}
	go c.read(newFrameReader(process.answers))
	return c
}

func (c *connection) read(reader *frameReader) {
	for {
		f, err := reader.read()
		if err == nil {
			err = c.take(f)
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				err = errors.Join(errProtocol, err)
			}
			c.mu.Lock()
			c.err = err
			c.mu.Unlock()
			close(c.closed)
			return
		}
	}
}

func (c *connection) take(f frame) error {
	switch f.Kind {
	case kindLog:
		var body logBody
		if err := f.decode(&body); err != nil {
			return err
		}
		c.log(body)
	case kindReady, kindResult, kindError:
		c.mu.Lock()
		answer := c.pending[f.ID]
		delete(c.pending, f.ID)
		c.mu.Unlock()
		if answer != nil { // nil: the answer of a call that was given up
			answer <- f
		}
	default:
		return errors.New("the host sent a frame of kind " + string(f.Kind[:min(len(f.Kind), 20)]))
	}
	return nil
}

// Why a call has no answer.
var (
	errHostGone = errors.New("the provider's process has gone")
	errHanging  = errors.New("the provider's call hangs")
	errUnsure   = errors.New("the provider does not know what has become of the call")
)

// errProtocol is a host that writes what is no frame: nothing it says can be trusted.
var errProtocol = errors.New("the provider's process wrote garbage into its pipe")

// reason is why a closed connection was closed.
func (c *connection) reason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// call sends a request and waits for its answer. A context that ends cancels
// the call in the host; its result, if it then comes, is what the caller gets
// along with the context's error, so that nobody works beside a call that still
// runs. A call that hangs is errHanging and the context's error.
func (c *connection) call(ctx context.Context, kind kind, body any) (frame, error) {
	answer := make(chan frame, 1)
	c.mu.Lock()
	c.last++
	id := c.last
	c.pending[id] = answer
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.pending, id)
		c.mu.Unlock()
	}()

	if err := c.out.write(id, kind, body); err != nil {
		return frame{}, errors.Join(errHostGone, err)
	}
	select {
	case f := <-answer:
		return f, nil
	case <-c.closed:
		return c.lastAnswer(answer)
	case <-ctx.Done():
	}

	if err := c.out.write(id, kindCancel, nil); err != nil {
		return frame{}, errors.Join(errHostGone, ctx.Err())
	}
	grace := time.NewTimer(cancelGrace)
	defer grace.Stop()
	select {
	case f := <-answer:
		return f, ctx.Err()
	case <-c.closed:
		return frame{}, errors.Join(errHostGone, ctx.Err())
	case <-grace.C:
		return frame{}, errors.Join(errHanging, ctx.Err())
	}
}

// lastAnswer is for a host that answered and then ended: the answer was read first.
func (c *connection) lastAnswer(answer <-chan frame) (frame, error) {
	select {
	case f := <-answer:
		return f, nil
	default:
		return frame{}, errHostGone
	}
}

// open reports whether the host can still be spoken to.
func (c *connection) open() bool {
	select {
	case <-c.closed:
		return false
	default:
		return true
	}
}

// busy reports whether a call runs.
func (c *connection) busy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.pending) > 0
}

// quit asks the host to end.
func (c *connection) quit() error { return c.out.write(0, kindQuit, nil) }

// logFrame hands a provider's record to the engine's log.
func logFrame(provider string, redact *redactor) func(logBody) {
	return func(body logBody) {
		level := slog.Level(body.Level)
		if !slog.Default().Enabled(context.Background(), level) {
			return
		}
		message := redact.clean(body.Message)
		if body.Cut {
			message = redact.cleanCut(body.Message)
		}
		attrs := []slog.Attr{slog.String("provider", provider)}
		for key, value := range body.Attrs {
			attrs = append(attrs, slog.String(redact.clean(key), redact.clean(value)))
		}
		slog.LogAttrs(context.Background(), level, message, attrs...)
	}
}
