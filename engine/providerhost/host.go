package providerhost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"pylego/engine/fault"
)

// quitGrace is how long a host may take to end after `quit` before it is killed.
const quitGrace = time.Second

// Ready is what a provider says of itself once it is made.
type Ready struct {
	Timeout    time.Duration // of propagation
	Interval   time.Duration // between two looks
	Sequential bool          // keeps one TXT record: one authorization at a time
	Pause      time.Duration // after each of them, where Sequential
}

// host is the engine's side of one `lego provider`.
type host struct {
	config Config
	key    string
	redact *redactor
	born   time.Time

	startContext context.Context
	cancelStart  context.CancelFunc
	running      chan struct{} // closed when its output is captured, if it could be started
	started      chan struct{} // closed when ready or startErr are set
	ended        chan struct{} // closed when nothing of the process is left, also in the pool

	// Set before started is closed.
	ready          Ready
	startErr       error
	process        *process
	connection     *connection
	stdout, stderr *capture

	// Guarded by the pool's mutex.
	leases    map[*Lease]struct{}
	retired   bool // takes no new orders
	condemned bool // a call hangs in it
	idle      *time.Timer

	status string // how it ended; set before ended is closed
}

func newHost(config Config, key string) *host {
	h := &host{
		config:  config,
		key:     key,
		redact:  newRedactor(secretsIn(config.Directory, config.Environment)),
		born:    time.Now(),
		running: make(chan struct{}),
		started: make(chan struct{}),
		ended:   make(chan struct{}),
		leases:  map[*Lease]struct{}{},
	}
	h.startContext, h.cancelStart = context.WithCancel(context.Background())
	return h
}

// alive reports whether a call can be made. Its pipe ends before its process has.
func (h *host) alive() bool {
	select {
	case <-h.ended:
		return false
	default:
	}
	select {
	case <-h.started:
		return h.startErr == nil && h.connection.open()
	default:
		return true
	}
}

// live is the host from its start to the last byte of its output. failed is
// called when it did not become ready.
func (h *host) live(failed func()) {
	defer h.cancelStart()
	var err error
	if h.process, err = startProcess(h.config); err != nil {
		h.startErr, h.status = err, "did not start"
		close(h.started)
		failed()
		return
	}
	h.stdout = newCapture(h.process.stdout, h.redact, logLine(h.config.Provider, "stdout"))
	h.stderr = newCapture(h.process.stderr, h.redact, logLine(h.config.Provider, "stderr"))
	h.connection = newConnection(h.process, logFrame(h.config.Provider, h.redact))
	close(h.running)
	exited := make(chan string, 1)
	go func() { exited <- h.process.wait() }()

	go func() { // beside outlive: a failed hello may quote the end
		defer close(h.started)
		if h.startErr = h.hello(); h.startErr != nil {
			failed()
		}
	}()
	h.outlive(exited)
}

// hello has the provider made. A constructor may use the network, and hang: when
// no order waits for it any more, the process ends with it.
func (h *host) hello() error {
	stop := context.AfterFunc(h.startContext, h.process.kill)
	defer stop()
	var ready readyBody
	err := h.request(context.Background(), kindHello, helloBody{
		Version:   protocolVersion,
		ParentPID: os.Getpid(),
		Provider:  h.config.Provider,
		Resolvers: h.config.Resolvers,
	}, &ready)
	if err != nil {
		return h.describe("could not be made", err)
	}
	h.ready = Ready{Timeout: ready.Timeout, Interval: ready.Interval}
	if ready.Sequential != nil {
		h.ready.Sequential, h.ready.Pause = true, *ready.Sequential
	}
	return nil
}

// outlive waits for the end. A host that closed its pipe but stays, or that
// writes what is no frame, is ended.
func (h *host) outlive(exited <-chan string) {
	select {
	case h.status = <-exited:
	case <-h.connection.closed:
		h.status = h.endWithin(exited)
	}
	h.stdout.close()
	h.stderr.close()
	h.process.requests.Close()
	h.process.answers.Close()
	<-h.connection.closed
}

func (h *host) endWithin(exited <-chan string) string {
	grace := time.NewTimer(quitGrace)
	defer grace.Stop()
	if errors.Is(h.connection.reason(), errProtocol) {
		h.process.kill()
	}
	select {
	case status := <-exited:
		return status
	case <-grace.C:
		h.process.kill()
		return <-exited
	}
}

// stop ends the host; it returns when it has ended. What a call that still runs
// has started would outlive a host that quits.
func (h *host) stop() {
	h.cancelStart()
	<-h.started
	if h.process != nil {
		if h.connection.busy() || h.connection.quit() != nil {
			h.process.kill()
		}
		timer := time.AfterFunc(quitGrace, h.process.kill)
		defer timer.Stop()
	}
	<-h.ended
}

// request makes a call and reads its answer.
func (h *host) request(ctx context.Context, kind kind, in, out any) error {
	f, err := h.connection.call(ctx, kind, in)
	if errors.Is(err, errHostGone) && h.connection.open() {
		h.process.kill() // it has stopped reading: no order can use it
	}
	switch {
	case f.Kind == kindError:
		answer := &providerError{}
		if decodeErr := f.decode(&answer.errorBody); decodeErr != nil {
			return decodeErr
		}
		if answer.Unsure {
			err = errors.Join(errUnsure, err)
		}
		return errors.Join(answer, err)
	case f.Kind == "":
		return err
	case out == nil:
		return nil
	default:
		return json.Unmarshal(f.Body, out)
	}
}

// providerError is what lego's provider itself answered.
type providerError struct{ errorBody }

func (e *providerError) Error() string { return e.Message }

// describe makes an error for people of what became of a call: the provider's
// name, what it answered and what it last printed, without any secret.
func (h *host) describe(action string, err error) error {
	var answer *providerError
	var said []string
	if errors.As(err, &answer) {
		if answer.Unknown {
			return unknownProvider(h.config.Provider, h.cleaned(answer.Suggestions))
		}
		if len(answer.Missing) > 0 {
			return missingCredentials(h.config.Provider, h.redact.clean(answer.Message), h.cleaned(answer.Missing))
		}
		message := h.redact.clean(answer.Message)
		if answer.Cut {
			message = h.redact.cleanCut(answer.Message)
		}
		said = append(said, message)
	}
	if errors.Is(err, errHostGone) {
		<-h.ended // its last words are wanted, and it is reaped soon
		said = append(said, "its process "+h.status)
	}
	if errors.Is(err, errHanging) {
		said = append(said, "it does not return")
	}

	code := fault.DNSProviderFailed
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		code, said = fault.DeadlineExceeded, append(said, "the deadline has passed")
	case errors.Is(err, context.Canceled):
		code, said = fault.Cancelled, append(said, "the call was cancelled")
	case len(said) == 0:
		said = append(said, h.redact.clean(err.Error()))
	}
	text := fmt.Sprintf("DNS provider %s %s: %s", h.config.Provider, action, strings.Join(said, "; "))
	return &fault.Error{Code: code, Detail: h.quoted(text), Err: cause(err), Network: answer != nil && answer.Network}
}

func (h *host) cleaned(texts []string) []string {
	cleaned := make([]string, len(texts))
	for i, text := range texts {
		cleaned[i] = h.redact.clean(text)
	}
	return cleaned
}

// quoted adds what the host last said on stderr.
func (h *host) quoted(text string) string {
	h.stderr.settle()
	if last := h.stderr.last(); last != "" && !strings.Contains(text, last) {
		text += fmt.Sprintf("; it last said %q", last)
	}
	return text
}

// cause keeps what programs ask for and drops the provider's own text, which
// may hold a secret.
func cause(err error) error {
	var kept []error
	for _, known := range []error{errHostGone, errHanging, errUnsure, context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, known) {
			kept = append(kept, known)
		}
	}
	return errors.Join(kept...)
}

// removed are the providers of lego 4 that lego 5 has not got, with their successors.
var removed = map[string][]string{
	"azure":         {"azuredns"},
	"brandit":       nil,
	"cloudxns":      nil,
	"dnspod":        {"tencentcloud"},
	"googledomains": nil,
	"iij":           {"iijdpf"},
	"iwantmyname":   nil,
}

func unknownProvider(name string, suggestions []string) error {
	unknown := fault.New(fault.UnknownProvider, "lego has no DNS provider %q", name)
	if successors, known := removed[name]; known {
		unknown.Detail += " any more, since its version 5"
		if unknown.Nearest = successors; len(successors) > 0 {
			unknown.Detail += "; " + successors[0] + " has taken its place, with settings of its own"
		}
		return unknown
	}
	if unknown.Nearest = suggestions; len(suggestions) > 0 {
		unknown.Detail += "; did you mean " + strings.Join(suggestions, " or ") + "?"
	}
	return unknown
}

// HowToGive is what somebody who lacks a provider's settings is told.
const HowToGive = "give them by name to DNS01, or in the environment"

func missingCredentials(provider, message string, names []string) error {
	lacking := fault.New(fault.MissingCredentials, "DNS provider %s could not be made: %s; %s", provider, message, HowToGive)
	lacking.Missing = names
	return lacking
}
