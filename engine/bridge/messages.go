// Package bridge is the engine's door: requests come in as JSON, and everything
// that follows goes out as messages. It knows no ACME.
package bridge

import (
	"encoding/json"

	"pylego/engine/report"
)

// Request starts a job.
type Request struct {
	Operation string          `json:"operation"`
	Input     json.RawMessage `json:"input"`
	Timeout   float64         `json:"timeout,omitempty"`   // seconds for the whole operation; 0: none
	Events    bool            `json:"events,omitempty"`    // whether anybody listens to them
	LogLevel  string          `json:"log_level,omitempty"` // the least level worth sending, in slog's words
}

// MessageType says what a message carries.
type MessageType string

// A job sends any number of events, questions and logs, then one result or error.
const (
	EventMessage     MessageType = "event"
	QuestionMessage  MessageType = "question"
	WithdrawnMessage MessageType = "withdrawn"
	LogMessage       MessageType = "log"
	ResultMessage    MessageType = "result"
	ErrorMessage     MessageType = "error"
)

// MessageTypes lists every type; Python's list is checked against it.
var MessageTypes = []MessageType{EventMessage, QuestionMessage, WithdrawnMessage, LogMessage, ResultMessage, ErrorMessage}

// Message is one line from the engine. The field named like its type is set.
type Message struct {
	Job       uint64        `json:"job,omitempty"` // 0: a log record of no job
	Type      MessageType   `json:"type"`
	Event     *report.Event `json:"event,omitempty"`
	Question  *Question     `json:"question,omitempty"`
	Withdrawn uint64        `json:"withdrawn,omitempty"` // the question that nobody waits for any more
	Log       *LogRecord    `json:"log,omitempty"`
	Result    any           `json:"result,omitempty"`
	Error     *ErrorData    `json:"error,omitempty"`
}

// Question asks the caller's own code; Reply answers it by its number.
type Question struct {
	ID    uint64 `json:"id"`
	Ask   string `json:"ask"`
	Input any    `json:"input,omitempty"`
}

// LogRecord is a line of the engine's or of lego's log.
type LogRecord struct {
	Level      string         `json:"level"`
	Message    string         `json:"message"`
	Attributes map[string]any `json:"attributes,omitempty"`
}
