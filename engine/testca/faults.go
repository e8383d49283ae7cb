package testca

import (
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/letsencrypt/pebble/v2/acme"

	"pylego/engine/fault"
	"pylego/engine/system"
)

// Faults are what goes wrong between the client and the CA. Each applies to the
// requests that Path selects; an answer may be both late and wrong.
type Faults struct {
	NonceReject int `json:"nonce_reject"` // percent of POSTs answered with badNonce, at random
	DelayMS     int `json:"delay_ms"`     // milliseconds before any answer

	Status      int    `json:"status"`       // an HTTP status (400 to 599) in place of the answer
	StatusCount int    `json:"status_count"` // for so many requests; -1: for ever
	RetryAfter  string `json:"retry_after"`  // the header that comes with Status, as it is

	Drop int `json:"drop"` // close the connection, with all that is on it, for so many requests

	// Path is one of the kinds that Requests counts ("newOrder"), or any part of
	// a URL's path; "": every request.
	Path string `json:"path"`
}

// middleware stands in front of Pebble, counts what is asked and spoils answers.
type middleware struct {
	next http.Handler

	mu       sync.Mutex
	faults   Faults
	requests map[string]int
}

func (m *middleware) set(faults Faults) error {
	if faults.Status != 0 && (faults.Status < 400 || faults.Status > 599) {
		return fault.New(fault.InvalidArguments, "status must be 400 to 599, not %d", faults.Status)
	}

	if faults.Status != 0 && faults.StatusCount == 0 {
		return fault.New(fault.InvalidArguments, "status needs status_count: for how many requests, or -1 for ever")
	}

	if faults.NonceReject < 0 || faults.NonceReject > 100 {
		return fault.New(fault.InvalidArguments, "nonce_reject must be 0 to 100, not %d", faults.NonceReject)
	}

	if faults.DelayMS < 0 || faults.Drop < 0 || faults.StatusCount < -1 {
		return fault.New(fault.InvalidArguments, "delay_ms and drop must be 0 or more, status_count -1 or more")
	}

	m.mu.Lock()
	defer m.mu.Unlock()

	m.faults = faults

	return nil
}

// spoiled is what is to go wrong with one request.
type spoiled struct {
	delay      time.Duration
	drop       bool
	status     int
	retryAfter string
	badNonce   bool
}

func (m *middleware) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	wrong := m.take(r)

	// ErrAbortHandler is net/http's own way to end a request without an answer:
	// it recovers the panic, and no line is logged.
	if wrong.delay > 0 && !sleep(r, wrong.delay) {
		panic(http.ErrAbortHandler)
	}

	switch {
	case wrong.drop:
		cut(r)
		panic(http.ErrAbortHandler)
	case wrong.status != 0:
		m.refuse(w, r, wrong)
	case wrong.badNonce:
		w.Header().Set("Replay-Nonce", m.freshNonce())
		writeProblem(w, acme.BadNonceProblem("the nonce was rejected, as the test asked"))
	default:
		if err := quietly(func() { m.next.ServeHTTP(w, r) }); err != nil {
			slog.Debug(err.Error(), "source", "pebble")
			writeProblem(w, acme.InternalErrorProblem(err.Error()))
		}
	}
}

// take counts the request and takes its share of the faults.
func (m *middleware) take(r *http.Request) (wrong spoiled) {
	kind := kindOf(r.URL.Path)

	m.mu.Lock()
	defer m.mu.Unlock()

	if m.requests == nil {
		m.requests = map[string]int{}
	}

	m.requests[kind]++

	faults := &m.faults
	if !faults.selects(kind, r.URL.Path) {
		return wrong
	}

	wrong.delay = time.Duration(faults.DelayMS) * time.Millisecond

	switch {
	case faults.Drop > 0:
		faults.Drop--
		wrong.drop = true
	case faults.Status != 0 && faults.StatusCount != 0:
		if faults.StatusCount > 0 {
			faults.StatusCount--
		}

		wrong.status, wrong.retryAfter = faults.Status, faults.RetryAfter
	default:
		wrong.badNonce = r.Method == http.MethodPost && rand.IntN(100) < faults.NonceReject
	}

	return wrong
}

func (f *Faults) selects(kind, path string) bool {
	if isKind(f.Path) {
		return f.Path == kind
	}

	return strings.Contains(path, f.Path)
}

// refuse answers a POST with a nonce where the CA itself would have spoken
// (4xx); a 5xx often comes from a proxy in front of it, which has none.
func (m *middleware) refuse(w http.ResponseWriter, r *http.Request, wrong spoiled) {
	if wrong.retryAfter != "" {
		w.Header().Set("Retry-After", wrong.retryAfter)
	}

	problem := acme.InternalErrorProblem("the server failed, as the test asked")

	if wrong.status < http.StatusInternalServerError {
		problem = acme.MalformedProblem("the request was refused, as the test asked")

		if r.Method == http.MethodPost {
			w.Header().Set("Replay-Nonce", m.freshNonce())
		}
	}

	if wrong.status == http.StatusTooManyRequests {
		problem.Type = "urn:ietf:params:acme:error:rateLimited" // which Pebble itself never says
		problem.Detail = "too many requests, as the test asked"
	}

	problem.HTTPStatus = wrong.status
	writeProblem(w, problem)
}

// freshNonce asks Pebble itself, which alone knows its nonces.
func (m *middleware) freshNonce() string {
	r, err := http.NewRequest(http.MethodHead, noncePath, nil)
	if err != nil {
		return ""
	}

	r.Header.Set("User-Agent", "testca") // Pebble answers nobody without: RFC 8555 6.1

	w := headerOnly{}
	m.next.ServeHTTP(w, r)

	return http.Header(w).Get("Replay-Nonce")
}

func (m *middleware) counts() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()

	counts := map[string]int{}
	for kind, count := range m.requests {
		counts[kind] = count
	}

	return counts
}

// headerOnly is a ResponseWriter of which only the header is of interest.
type headerOnly http.Header

func (h headerOnly) Header() http.Header             { return http.Header(h) }
func (headerOnly) Write(content []byte) (int, error) { return len(content), nil }
func (headerOnly) WriteHeader(int)                   {}

func writeProblem(w http.ResponseWriter, problem *acme.ProblemDetails) {
	content, err := json.Marshal(problem)
	if err != nil {
		content = []byte("{}")
	}

	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(problem.HTTPStatus)
	_, _ = w.Write(content)
}

// sleep waits; false: the client has gone, or the server is closing.
func sleep(r *http.Request, delay time.Duration) bool {
	return system.Sleep(r.Context(), delay) == nil
}
