// Package providerhost holds both ends of the pipe between the engine and
// `lego provider`, the process in which a DNS provider of lego runs. A provider
// reads the environment, lego's global DNS client and its own package's
// variables whenever it likes: only a process of its own gives each order its
// own credentials and keeps them out of ours.
package providerhost

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-acme/lego/v5/challenge"
	"github.com/go-acme/lego/v5/challenge/dns01"
	legolog "github.com/go-acme/lego/v5/log"

	"pylego/engine/child"
)

// The host's exit codes; there are no others, so that whatever else the engine
// sees is a kill.
const (
	exitDone    = 0
	exitFailed  = 1 // also what lego's log.Fatal gives
	exitMisused = 2 // also what a panic outside of our calls gives
)

// helloTimeout is for an engine that ended before it said hello, while a forked
// child of its process holds the pipe.
const helloTimeout = 10 * time.Second

// maxMessage is how much of an error or log message goes into a frame.
const maxMessage = 64 << 10

// Constructor makes a provider of lego by its name. lego's own is passed in by
// cmd/lego: here it would link every provider's SDK into the library.
type Constructor func(name string) (challenge.Provider, error)

// Serve is the host's life. names are all that the constructor knows, for the
// suggestions to somebody who mistyped one. The result is the exit code.
func Serve(name string, construct Constructor, names []string) int {
	requests, answers, err := hostPipes()
	if err != nil {
		fmt.Fprintf(os.Stderr, "lego provider is started by pylego's engine, not by hand: %v\n", err)
		return exitMisused
	}
	child.CloseInherited()
	child.DropSignals()
	if err := child.EndTogether(); err != nil {
		fmt.Fprintln(os.Stderr, "lego provider:", err)
		return exitMisused
	}

	h := &server{
		name:      name,
		construct: construct,
		names:     names,
		out:       &frameWriter{w: answers},
		calls:     map[uint64]context.CancelFunc{},
	}
	legolog.SetDefault(newLogger(h.out))

	frames, broken := make(chan frame), make(chan error, 1)
	go readFrames(requests, frames, broken)
	code := h.serve(frames, broken)
	if h.alone {
		endGroup()
	}
	return code
}

type server struct {
	name      string
	construct Constructor
	names     []string
	out       *frameWriter
	orphaned  <-chan struct{} // closed when the engine has gone; from hello on
	alone     bool            // it has gone, and does not end what the provider has started

	mu       sync.Mutex
	provider challenge.Provider
	calls    map[uint64]context.CancelFunc
}

// serve never waits for a provider: the loop must see quit, end-of-file and
// cancel while a constructor or a call hangs. What still runs ends with the process.
func (h *server) serve(frames <-chan frame, broken <-chan error) int {
	greeted := time.NewTimer(helloTimeout)
	defer greeted.Stop()
	for {
		select {
		case <-h.orphaned:
			h.alone = true
			return exitDone
		case <-greeted.C:
			return exitDone
		case err := <-broken:
			if errors.Is(err, io.EOF) {
				h.alone = true
				return exitDone
			}
			fmt.Fprintln(os.Stderr, "lego provider:", err)
			return exitMisused
		case f := <-frames:
			switch f.Kind {
			case kindQuit:
				return exitDone
			case kindCancel:
				h.cancel(f.ID)
			case kindHello:
				greeted.Stop()
				if gone, err := h.hello(f); err != nil || gone {
					return exitCode(err)
				}
			case kindChallengeInfo, kindPresent, kindCleanUp:
				h.start(f)
			default:
				h.fail(f.ID, errorBody{Message: fmt.Sprintf("the host has no %q", f.Kind)})
			}
		}
	}
}

func exitCode(err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, "lego provider:", err)
		return exitMisused
	}
	return exitDone
}

// hello reports gone where the engine has ended before the host could look.
func (h *server) hello(f frame) (gone bool, err error) {
	var hello helloBody
	if err := f.decode(&hello); err != nil {
		return false, err
	}
	if hello.Version != protocolVersion {
		return false, fmt.Errorf("the engine speaks version %d of the protocol, this lego %d: they are of different builds", hello.Version, protocolVersion)
	}
	if !child.Of(hello.ParentPID) {
		return true, nil
	}
	h.orphaned = child.Orphaned(hello.ParentPID)
	if hello.Provider != h.name {
		return false, fmt.Errorf("started for provider %q, asked for %q", h.name, hello.Provider)
	}
	if len(hello.Resolvers) > 0 {
		dns01.SetDefaultClient(dns01.NewClient(&dns01.Options{
			RecursiveNameservers: hello.Resolvers,
			TCPOnly:              tcpOnly(),
		}))
	}
	h.run(f, func(context.Context) (kind, any, error) {
		ready, err := h.makeProvider()
		return kindReady, ready, err
	})
	return false, nil
}

func (h *server) makeProvider() (*readyBody, error) {
	provider, err := h.construct(h.name)
	if err != nil {
		return nil, err
	}

	ready := &readyBody{Timeout: dns01.DefaultPropagationTimeout, Interval: dns01.DefaultPollingInterval}
	if p, ok := provider.(challenge.ProviderTimeout); ok {
		ready.Timeout, ready.Interval = p.Timeout()
	}
	if p, ok := provider.(interface{ Sequential() time.Duration }); ok {
		interval := p.Sequential()
		ready.Sequential = &interval
	}
	h.mu.Lock()
	h.provider = provider
	h.mu.Unlock()
	return ready, nil
}

// start runs one request on a provider that exists.
func (h *server) start(f frame) {
	var in challengeBody
	if err := f.decode(&in); err != nil {
		h.fail(f.ID, errorBody{Message: err.Error()})
		return
	}
	h.mu.Lock()
	provider := h.provider
	h.mu.Unlock()
	if provider == nil {
		h.fail(f.ID, errorBody{Message: "the provider is not ready"})
		return
	}

	h.run(f, func(ctx context.Context) (kind, any, error) {
		switch f.Kind {
		case kindPresent:
			return kindResult, nil, provider.Present(ctx, in.Domain, in.Token, in.KeyAuthorization)
		case kindCleanUp:
			return kindResult, nil, provider.CleanUp(ctx, in.Domain, in.Token, in.KeyAuthorization)
		default:
			info := dns01.GetChallengeInfo(ctx, in.Domain, in.KeyAuthorization)
			return kindResult, infoBody{info.FQDN, info.EffectiveFQDN, info.Value}, nil
		}
	})
}

// run answers a request from a goroutine of its own.
func (h *server) run(f frame, work func(context.Context) (kind, any, error)) {
	ctx, cancel := context.WithCancel(context.Background())
	h.mu.Lock()
	h.calls[f.ID] = cancel
	h.mu.Unlock()

	go func() {
		defer h.cancel(f.ID)
		defer func() {
			// A panic in a goroutine of the provider's own ends the process, with
			// its message on stderr; this one is in ours.
			if r := recover(); r != nil {
				legolog.Error("The provider panicked.", slog.String("stack", string(debug.Stack())))
				h.fail(f.ID, errorBody{Message: fmt.Sprintf("the provider panicked: %v", r), Unsure: true})
			}
		}()
		kind, body, err := work(ctx)
		if err != nil {
			h.fail(f.ID, h.describe(err))
			return
		}
		h.answer(f.ID, kind, body)
	}()
}

func (h *server) cancel(id uint64) {
	h.mu.Lock()
	cancel := h.calls[id]
	delete(h.calls, id)
	h.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}

// describe tells an unknown name, which lego reports as plain text, from a
// provider that lacks its settings.
func (h *server) describe(err error) errorBody {
	// Also what http.Client says, which wraps what happened as a net.Error.
	body := errorBody{Message: err.Error(), Network: errors.As(err, new(net.Error)), Unsure: unheard(err)}
	if strings.HasPrefix(body.Message, "unrecognized DNS provider") && !slices.Contains(h.names, h.name) {
		body.Unknown, body.Suggestions = true, Nearest(h.name, h.names)
	}
	body.Missing = missing(body.Message)
	return body
}

// unheard tells a request that was sent, perhaps, and whose answer did not come.
func unheard(err error) bool {
	var operation *net.OpError
	if errors.As(err, &operation) && operation.Op == "dial" {
		return false
	}
	var failed net.Error
	return errors.As(err, &failed) && failed.Timeout() || errors.Is(err, io.EOF) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

// lacking is how lego's package env begins its list of variables that have no value.
var lacking = regexp.MustCompile(`credentials information are missing: ([A-Z0-9_]+(?:,[A-Z0-9_]+)*)`)

// missing are the variables that a constructor's error names. Where there are two
// ways to log in, it names those of both.
func missing(message string) []string {
	var names []string
	for _, match := range lacking.FindAllStringSubmatch(message, -1) {
		for _, name := range strings.Split(match[1], ",") {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

func (h *server) fail(id uint64, body errorBody) {
	body.Message, body.Cut = cut(body.Message)
	h.answer(id, kindError, body)
}

// answer ends the process where the engine does not listen any more: a host
// that cannot be heard is of no use, and may hold credentials.
func (h *server) answer(id uint64, kind kind, body any) {
	if err := h.out.write(id, kind, body); err != nil {
		endGroup()
		os.Exit(exitFailed)
	}
}

func readFrames(r io.Reader, frames chan<- frame, broken chan<- error) {
	reader := newFrameReader(r)
	for {
		f, err := reader.read()
		if err != nil {
			broken <- err
			return
		}
		frames <- f
	}
}
