package bridge

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"

	legoacme "github.com/go-acme/lego/v5/acme"

	"pylego/engine/acme"
	"pylego/engine/fault"
)

// ErrorData is an error as it travels. The first six fields are those of pylego
// 0.1, which programs in the field read.
type ErrorData struct {
	Type        string                `json:"type"` // "acme": the CA's problem; "lego": anything else
	Code        string                `json:"code"`
	Status      int                   `json:"status,omitempty"`
	Detail      string                `json:"detail"`
	ACMEType    string                `json:"acme_type,omitempty"`
	Subproblems []Subproblem          `json:"subproblems,omitempty"`
	Phase       string                `json:"phase"`
	Retryable   bool                  `json:"retryable"`
	RetryAfter  float64               `json:"retry_after,omitempty"` // seconds from now
	Identifiers []legoacme.Identifier `json:"identifiers,omitempty"`
	Attempts    []fault.Attempt       `json:"attempts,omitempty"`
	fault.Facts
}

// Subproblem is RFC 8555 section 6.7.1's, its type shortened.
type Subproblem struct {
	Type       string              `json:"type"`
	Detail     string              `json:"detail"`
	Identifier legoacme.Identifier `json:"identifier"`
}

// Describe turns an error into data: the only place where that happens.
func Describe(err error) *ErrorData {
	var leaving *fault.Leaving
	if errors.As(err, &leaving) {
		data := Describe(leaving.Err)
		data.Detail = strings.Join(append([]string{data.Detail}, leaving.Left...), "; ")
		return data
	}
	data := &ErrorData{Type: "lego", Detail: err.Error()}
	var known *fault.Error
	if errors.As(err, &known) {
		data.Identifiers, data.Attempts, data.Facts = known.Identifiers, known.Attempts, known.Facts
	}
	problem, refused := acme.Refusal(err)
	switch {
	case isNetwork(err):
		// First: a server that does not answer in time is a context.DeadlineExceeded
		// to net/http, and not the caller's deadline, which stays what it is.
		data.set(fault.NetworkError, err.Error())
		if errors.As(err, new(*tls.CertificateVerificationError)) {
			data.Retryable = false // somebody has to change something first
		}
	case errors.Is(err, context.DeadlineExceeded):
		data.set(fault.DeadlineExceeded, "the time allowed for the operation is over")
		if known != nil && known.Code == fault.DeadlineExceeded {
			data.Detail += ": " + known.Detail
		}
	case errors.Is(err, context.Canceled):
		data.set(fault.Cancelled, "the operation was cancelled")
	case refused:
		data.problem(problem)
	case known == nil && errors.As(err, new(net.Error)):
		data.set(fault.NetworkError, err.Error())
	case known != nil:
		data.set(known.Code, err.Error())
	case problem != nil: // a page
		data.set(fault.CertificateObtainFailed, err.Error())
	default:
		data.set(fault.CertificateRequestFailed, err.Error())
	}
	if problem != nil && problem.Page { // whatever it stopped, its status tells whether it may pass
		data.RetryAfter, data.Retryable = problem.RetryAfter.Seconds(), passing(problem.HTTPStatus)
	}
	return data
}

func (d *ErrorData) set(code fault.Code, detail string) {
	entry := fault.Lookup(code)
	d.Code, d.Detail, d.Phase, d.Retryable = string(code), detail, entry.Phase, entry.Retryable
}

func (d *ErrorData) problem(p *acme.Problem) {
	d.Type, d.Code, d.ACMEType = "acme", acme.ShortType(p.Type), p.Type
	d.Status, d.Detail = p.HTTPStatus, p.Detail
	d.RetryAfter = p.RetryAfter.Seconds()
	d.Phase = "server"
	if len(d.Attempts) > 0 {
		d.Phase = "challenge"
	}
	switch p.Type {
	case legoacme.RateLimitedErrorType, legoacme.ServerInternalErrorType, legoacme.BadNonceErrorType:
		d.Retryable = true
	case legoacme.ConnectionErrorType, legoacme.DNSErrorType, legoacme.TLSErrorType, legoacme.UnauthorizedErrorType:
		d.Retryable = len(d.Attempts) > 0 // a name may be reachable later; an account is not allowed more
	default:
		d.Retryable = passing(p.HTTPStatus)
	}
	for _, sub := range p.SubProblems {
		d.Subproblems = append(d.Subproblems, Subproblem{acme.ShortType(sub.Type), sub.Detail, sub.Identifier})
	}
	slices.SortStableFunc(d.Subproblems, func(a, b Subproblem) int { return cmp.Compare(a.Identifier.Value, b.Identifier.Value) })
}

// passing tells a server's trouble, and having asked too often, from a refusal.
func passing(status int) bool {
	return status >= http.StatusInternalServerError || status == http.StatusTooManyRequests
}

// isNetwork finds the network anywhere among an error's causes: it wins over
// the phase in which it failed.
func isNetwork(err error) bool {
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		if known, ok := cause.(*fault.Error); ok && known.Code == fault.NetworkError {
			return true
		}
	}
	return false
}
