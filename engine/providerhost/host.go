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
		redact:  newRedactor(secretsIn(config.Environment)),
		born:    time.Now(),
		started: make(chan struct{}),
		ended:   make(chan struct{}),
		leases:  map[*Lease]struct{}{},
	}
	h.startContext, h.cancelStart = context.WithCancel(context.Background())
	return h
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
			return unknownProvider(h.config.Provider, answer.Suggestions)
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
	if last := h.lastWords(); last != "" && !strings.Contains(text, last) {
		text += fmt.Sprintf("; it last said %q", last)
	}
	return &fault.Error{Code: code, Detail: text, Err: cause(err)}
}

func (h *host) lastWords() string {
	h.stderr.settle()
	return h.stderr.last()
}

// cause keeps what programs ask for and drops the provider's own text, which
// may hold a secret.
func cause(err error) error {
	var kept []error
	for _, known := range []error{errHostGone, errHanging, context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, known) {
			kept = append(kept, known)
		}
	}
	return errors.Join(kept...)
}

func unknownProvider(name string, suggestions []string) error {
	if len(suggestions) == 0 {
		return fault.New(fault.DNSProviderFailed, "lego has no DNS provider %q", name)
	}
	return fault.New(fault.DNSProviderFailed, "lego has no DNS provider %q; did you mean %s?", name, strings.Join(suggestions, " or "))
}
