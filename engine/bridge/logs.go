package bridge

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"

	legolog "github.com/go-acme/lego/v5/log"
)

// listeners are the engines that get log records. Go's and lego's loggers are
// global, so a record cannot be told apart by caller: each gets all of them.
var listeners struct {
	sync.RWMutex
	engines map[*Engine]bool
}

var logLevel = func() *slog.LevelVar {
	level := new(slog.LevelVar)
	level.Set(slog.LevelWarn)
	return level
}()

func listenToLogs(e *Engine) {
	listeners.Lock()
	defer listeners.Unlock()
	if listeners.engines == nil {
		listeners.engines = map[*Engine]bool{}
	}
	listeners.engines[e] = true
}

func stopListeningToLogs(e *Engine) {
	listeners.Lock()
	defer listeners.Unlock()
	delete(listeners.engines, e)
}

// setLogLevel follows the caller's logger: what it would drop is not sent.
func setLogLevel(level string) {
	if level != "" {
		_ = logLevel.UnmarshalText([]byte(level)) // an unknown word leaves it as it is
	}
}

// ownStreams keeps the process's streams from Go's garbage collector, which
// would close descriptors 1 and 2 with the files that stood for them.
var ownStreams []*os.File

// CaptureOutput sends everything that Go code logs or prints to our listeners.
// Go ends the process when it writes to a broken stdout, even where the program
// ignores SIGPIPE: so nothing here may write to the process's own.
func CaptureOutput() error {
	logger := slog.New(logHandler{})
	slog.SetDefault(logger) // the log package follows
	legolog.SetDefault(logger)
	for _, stream := range []**os.File{&os.Stdout, &os.Stderr} {
		reader, writer, err := os.Pipe()
		if err != nil {
			return fmt.Errorf("cannot make a pipe for the engine's output: %w", err)
		}
		ownStreams = append(ownStreams, *stream)
		*stream = writer
		go logLines(reader)
	}
	return nil
}

func logLines(reader io.Reader) {
	lines := bufio.NewReader(reader)
	for {
		line, _, err := lines.ReadLine()
		if err != nil {
			return
		}
		slog.Info(string(line))
	}
}

// logHandler makes slog records messages.
type logHandler struct {
	attributes []slog.Attr
	group      string
}

func (h logHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= logLevel.Level()
}

func (h logHandler) Handle(_ context.Context, record slog.Record) error {
	message := &LogRecord{Level: record.Level.String(), Message: record.Message}
	add := func(attribute slog.Attr) bool {
		if message.Attributes == nil {
			message.Attributes = map[string]any{}
		}
		message.Attributes[h.group+attribute.Key] = fmt.Sprint(attribute.Value.Resolve().Any())
		return true
	}
	for _, attribute := range h.attributes {
		add(attribute)
	}
	record.Attrs(add)
	listeners.RLock()
	defer listeners.RUnlock()
	for engine := range listeners.engines {
		engine.send(Message{Type: LogMessage, Log: message})
	}
	return nil
}

func (h logHandler) WithAttrs(attributes []slog.Attr) slog.Handler {
	h.attributes = append(h.attributes[:len(h.attributes):len(h.attributes)], attributes...)
	return h
}

func (h logHandler) WithGroup(name string) slog.Handler {
	h.group += name + "."
	return h
}
