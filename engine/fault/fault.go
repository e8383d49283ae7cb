// Package fault has the engine's own errors: a code for programs, a sentence for people.
package fault

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

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
}

// Attempt is one try to have one identifier validated.
type Attempt struct {
	Identifier legoacme.Identifier      `json:"identifier"`
	Challenge  string                   `json:"challenge"`
	Detail     string                   `json:"detail"`
	Problem    *legoacme.ProblemDetails `json:"problem,omitempty"`
	Code       Code                     `json:"-"` // where there is no problem of the CA's
	Offered    []string                 `json:"-"` // the types of challenges that the CA offered
}

func (e *Error) Error() string { return e.Detail }

func (e *Error) Unwrap() error { return e.Err }

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
