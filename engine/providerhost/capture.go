package providerhost

import (
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	maxLine   = 4 << 10 // of a line that a provider prints
	tailLines = 10      // kept for errors
	maxSettle = 1 << 20 // read for an error's sake: a flood never ends
)

// capture turns what a host prints into log records, and remembers the end of it.
type capture struct {
	pipe   *os.File
	emit   func(line string)
	redact *redactor
	done   chan struct{}

	mu      sync.Mutex
	tail    []string
	partial string          // a line whose end had not come when an error asked
	crash   string          // the first line of a Go panic: the end of its trace says nothing
	waiting []chan struct{} // want to hear that the pipe was empty
}

func newCapture(pipe *os.File, redact *redactor, emit func(line string)) *capture {
	c := &capture{pipe: pipe, emit: emit, redact: redact, done: make(chan struct{})}
	go c.run()
	return c
}

func (c *capture) run() {
	defer close(c.done)
	defer c.pipe.Close()
	var line lineBuffer
	buffer := make([]byte, 4<<10)
	for {
		n, err := c.pipe.Read(buffer)
		line.add(buffer[:n], c.line)
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			c.answer(&line, buffer)
		default:
			line.flush(c.line)
			return
		}
	}
}

// settle returns when all that was printed before the call has been read, so
// that an error can quote it. A deadline in the past wakes the reader.
func (c *capture) settle() {
	waiter := make(chan struct{})
	c.mu.Lock()
	if c.pipe.SetReadDeadline(time.Unix(1, 0)) != nil { // closed, or a platform without deadlines
		c.mu.Unlock()
		return
	}
	c.waiting = append(c.waiting, waiter)
	c.mu.Unlock()
	select {
	case <-waiter:
	case <-c.done:
	}
}

// answer empties the pipe for those who settle.
func (c *capture) answer(line *lineBuffer, buffer []byte) {
	c.mu.Lock()
	waiting := c.waiting
	c.waiting = nil
	_ = c.pipe.SetReadDeadline(time.Time{})
	c.mu.Unlock()

	for read := 0; read < maxSettle; {
		n := readNow(c.pipe, buffer)
		if n <= 0 {
			break
		}
		line.add(buffer[:n], c.line)
		read += n
	}
	c.setPartial(line.text)
	for _, waiter := range waiting {
		close(waiter)
	}
}

// setPartial keeps what an error may quote of a line whose end has not come.
func (c *capture) setPartial(text []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(text) > 0 {
		c.partial = c.redact.cleanCut(string(text))
		c.partial = c.partial[:min(len(c.partial), maxLine)]
	}
}

// close ends the capture, also where a program that the host started lives on
// and holds the other end of the pipe.
func (c *capture) close() {
	c.settle()
	c.pipe.Close()
	<-c.done
}

func (c *capture) line(text string, isCut bool) {
	if isCut {
		text = c.redact.cleanCut(text)
		text = text[:min(len(text), maxLine)]
	} else {
		text = c.redact.clean(text)
	}
	if strings.TrimSpace(text) == "" {
		return
	}
	c.mu.Lock()
	c.partial = ""
	if c.crash == "" && (strings.HasPrefix(text, "panic: ") || strings.HasPrefix(text, "fatal error: ")) {
		c.crash = text
	}
	c.tail = append(c.tail, text)
	c.tail = c.tail[max(0, len(c.tail)-tailLines):]
	c.mu.Unlock()
	c.emit(text)
}

// last is what an error quotes: the crash, or the last line that says something.
func (c *capture) last() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.crash != "" {
		return c.crash
	}
	if c.partial != "" {
		return c.partial
	}
	if len(c.tail) == 0 {
		return ""
	}
	return c.tail[len(c.tail)-1]
}

// lineBuffer cuts bytes into lines and keeps no more of one than is needed.
type lineBuffer struct {
	text []byte
	over bool
}

// rawLine is more than maxLine, so that a secret at the limit is still seen whole.
const rawLine = 4 * maxLine

func (b *lineBuffer) add(data []byte, emit func(string, bool)) {
	for _, c := range data {
		switch {
		case c == '\n':
			b.flush(emit)
		case len(b.text) < rawLine:
			b.text = append(b.text, c)
		default:
			b.over = true
		}
	}
}

func (b *lineBuffer) flush(emit func(string, bool)) {
	if len(b.text) > 0 {
		emit(strings.TrimRight(string(b.text), "\r"), b.over)
	}
	b.text, b.over = b.text[:0], false
}

// logLine is how lines reach the log: what a provider prints is nobody's message
// in particular.
func logLine(provider, stream string) func(string) {
	return func(line string) {
		slog.Info(line, slog.String("provider", provider), slog.String("stream", stream))
	}
}
