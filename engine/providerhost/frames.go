package providerhost

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// protocolVersion changes with the frames. Engine and host come out of one
// build; a host of another build is told apart by it and refused.
const protocolVersion = 2

// maxFrame bounds what one end makes the other keep in memory.
const maxFrame = 1 << 20

// A frame is one JSON object on a line of its own. JSON escapes line breaks, so
// a line cannot hold half a frame or two, anything a provider manages to write
// into the pipe is seen as garbage at once, and a trace of the pipe is readable.
type frame struct {
	ID   uint64          `json:"id"` // of the request; 0 for logs, which nobody asked for
	Kind kind            `json:"kind"`
	Body json.RawMessage `json:"body,omitempty"`
}

type kind string

const (
	// From the engine.
	kindHello         kind = "hello"
	kindChallengeInfo kind = "challenge_info"
	kindPresent       kind = "present"
	kindCleanUp       kind = "clean_up"
	kindCancel        kind = "cancel" // its id is that of the request to cancel
	kindQuit          kind = "quit"

	// From the host.
	kindReady  kind = "ready"
	kindResult kind = "result"
	kindError  kind = "error"
	kindLog    kind = "log"
)

type helloBody struct {
	Version   int      `json:"version"`
	ParentPID int      `json:"parent_pid"`
	Provider  string   `json:"provider"`
	Resolvers []string `json:"resolvers,omitempty"`
}

type readyBody struct {
	Timeout    time.Duration  `json:"timeout"`
	Interval   time.Duration  `json:"interval"`
	Sequential *time.Duration `json:"sequential"`
}

// challengeBody is what lego's Provider interface takes.
type challengeBody struct {
	Domain           string `json:"domain"`
	Token            string `json:"token,omitempty"`
	KeyAuthorization string `json:"key_authorization"`
}

type infoBody struct {
	FQDN          string `json:"fqdn"`
	EffectiveFQDN string `json:"effective_fqdn"`
	Value         string `json:"value"`
}

type errorBody struct {
	Message     string   `json:"message"`
	Cut         bool     `json:"cut,omitempty"`     // Message is only the beginning
	Unknown     bool     `json:"unknown,omitempty"` // lego has no such provider
	Suggestions []string `json:"suggestions,omitempty"`
	Missing     []string `json:"missing,omitempty"` // environment variables
	Network     bool     `json:"network,omitempty"` // its cause was the network
	Unsure      bool     `json:"unsure,omitempty"`  // the work may have been done all the same
}

type logBody struct {
	Level   int               `json:"level"` // as in log/slog
	Message string            `json:"message"`
	Cut     bool              `json:"cut,omitempty"`
	Attrs   map[string]string `json:"attrs,omitempty"`
}

// frameWriter writes whole frames of many goroutines.
type frameWriter struct {
	mu sync.Mutex
	w  io.Writer
}

// deadlineWriter is a pipe whose other end may have stopped reading.
type deadlineWriter interface {
	SetWriteDeadline(time.Time) error
}

func (w *frameWriter) write(id uint64, kind kind, body any) error {
	f := frame{ID: id, Kind: kind}
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return err
		}
		f.Body = raw
	}
	line, err := json.Marshal(f)
	if err != nil {
		return err
	}
	if len(line) >= maxFrame {
		return fmt.Errorf("a %s frame of %d bytes is over the limit of %d", kind, len(line), maxFrame)
	}

	w.mu.Lock()
	defer w.mu.Unlock()
	if pipe, ok := w.w.(deadlineWriter); ok {
		_ = pipe.SetWriteDeadline(time.Now().Add(writeTimeout)) // not on every platform
	}
	_, err = w.w.Write(append(line, '\n'))
	return err
}

// frameReader reads frames and refuses what is none.
type frameReader struct {
	r *bufio.Reader
}

func newFrameReader(r io.Reader) *frameReader {
	return &frameReader{bufio.NewReaderSize(r, 4096)}
}

var errFrameTooLong = fmt.Errorf("a frame is over the limit of %d bytes", maxFrame)

// read returns io.EOF where the other end has gone, also in the middle of a frame.
func (r *frameReader) read() (frame, error) {
	var line []byte
	for {
		part, err := r.r.ReadSlice('\n')
		if len(line)+len(part) > maxFrame {
			return frame{}, errFrameTooLong
		}
		line = append(line, part...)
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return frame{}, err
		}
	}

	var f frame
	if err := json.Unmarshal(line, &f); err != nil {
		return frame{}, fmt.Errorf("not a frame: %w", err)
	}
	if f.Kind == "" {
		return frame{}, errors.New("a frame without a kind")
	}
	return f, nil
}

// decode reads a body; a frame without one leaves it as it is.
func (f frame) decode(body any) error {
	if len(f.Body) == 0 {
		return nil
	}
	if err := json.Unmarshal(f.Body, body); err != nil {
		return fmt.Errorf("the body of a %s frame: %w", f.Kind, err)
	}
	return nil
}
