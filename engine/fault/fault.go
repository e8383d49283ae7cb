// Package fault has the engine's own errors: a code for programs, a sentence for people.
package fault

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"strings"

	legoacme "github.com/go-acme/lego/v5/acme"
)

// Error is a failure that is not simply a CA's problem document. Err, where
// set, is its cause, and may be one.
type Error struct {
	Code        Code
	Detail      string
	Identifiers []legoacme.Identifier
	Attempts    []Attempt
	Err         error
	Network     bool // the cause was the network, as far as another process could tell
	Facts
}

// Facts are what a program can decide by, for errors that have them.
type Facts struct {
	Nearest []string `json:"nearest,omitempty"` // known names like the unknown one
	Missing []string `json:"missing,omitempty"` // environment variables that a provider lacks
	Answers []Answer `json:"answers,omitempty"` // the last that name servers said
}

// Answer is what a name server said when it was asked for a TXT record.
type Answer struct {
	Server string `json:"server"`
	Name   string `json:"name"`
	Said   string `json:"said"`
}

// Add takes another error's facts.
func (f *Facts) Add(err error) {
	var other *Error
	if errors.As(err, &other) {
		f.Nearest = append(f.Nearest, other.Nearest...)
		f.Missing = append(f.Missing, other.Missing...)
		f.Answers = append(f.Answers, other.Answers...)
	}
}

// Attempt is one try to have one identifier validated.
type Attempt struct {
	Identifier legoacme.Identifier      `json:"identifier"`
	Challenge  string                   `json:"challenge"`
	Detail     string                   `json:"detail"`
	Problem    *legoacme.ProblemDetails `json:"problem,omitempty"`
	Code       Code                     `json:"-"` // where there is no problem of the CA's
	Way        int                      `json:"-"` // which of the configured challenges; -1: none was offered
	Offered    []string                 `json:"-"` // the types of challenges that the CA offered
}

func (e *Error) Error() string { return e.Detail }

func (e *Error) Unwrap() error { return e.Err }

// Leaving is an error beside which something stays behind: Left says what, and why.
type Leaving struct {
	Err  error
	Left []string
}

func (l *Leaving) Error() string {
	return strings.Join(append([]string{l.Err.Error()}, l.Left...), "; ")
}

func (l *Leaving) Unwrap() error { return l.Err }

// New makes an error whose detail is a sentence for a person.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// Wrap makes an error that says what failed and then what the cause said.
func Wrap(code Code, err error, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...) + ": " + err.Error(), Err: err}
}

// Interrupted says what was being waited for when a context ended.
func Interrupted(end error, format string, args ...any) *Error {
	return &Error{Code: Ended(end), Detail: fmt.Sprintf(format, args...), Err: end}
}

// CodeOf finds the code of an error; one that has none gets the other.
func CodeOf(err error, otherwise Code) Code {
	var known *Error
	if errors.As(err, &known) {
		return known.Code
	}
	return otherwise
}

// ByNetwork reports whether an error, or any of its causes, is of the network:
// found here, or told by the process in which it happened.
func ByNetwork(err error) bool {
	if errors.As(err, new(*net.OpError)) {
		return true
	}
	for ; err != nil; err = errors.Unwrap(err) {
		if known, ok := err.(*Error); ok && (known.Network || known.Code == NetworkError) {
			return true
		}
	}
	return false
}

// Ended is the code of a context's end: its deadline's or a cancellation.
func Ended(err error) Code {
	if errors.Is(err, context.DeadlineExceeded) {
		return DeadlineExceeded
	}
	return Cancelled
}

// Guard runs a function whose panic must not end the process that we are a guest in.
func Guard(run func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			slog.Error("a panic in the engine", "panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
			err = New(EngineError, "the engine failed unexpectedly (%v); please report this, with the log", cause)
		}
	}()
	return run()
}
