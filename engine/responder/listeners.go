// Package responder answers HTTP-01 and TLS-ALPN-01 validations. All orders of a
// port share one listener: lego's own servers take one order at a time.
package responder

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	legoacme "github.com/go-acme/lego/v5/acme"

	"pylego/engine/acme"
	"pylego/engine/fault"
	"pylego/engine/system"
)

const (
	// maxConnections at once on one listener. Validations come from a handful of
	// places; the rest is the Internet's noise.
	maxConnections = 256
	// perAnswer is for each answer in addition: hundreds of orders are validated at
	// once, each from several places, which may all come from one address.
	perAnswer = 8
	// busyFor is how long a port that another process holds is asked for again.
	busyFor   = 5 * time.Second
	busyRetry = 100 * time.Millisecond
	// connectionTime is all that one validation request may take.
	connectionTime = 10 * time.Second
)

// Solver makes one order's answers visible on one port. It is made by HTTP01 or
// TLSALPN01 and released when the order ends.
type Solver struct {
	kind   string
	header string
	key    key

	mu        sync.Mutex
	server    *server // set by Prepare
	presented []acme.Answer
}

// HTTP01 answers RFC 8555 section 8.3 on host:port; host "" is every interface. The
// header tells which name was asked for; "" is Host.
func HTTP01(host string, port int, header string) *Solver {
	return &Solver{kind: "http-01", header: header, key: key{"http-01", "tcp", net.JoinHostPort(host, strconv.Itoa(port))}}
}

// TLSALPN01 answers RFC 8737 on host:port.
func TLSALPN01(host string, port int) *Solver {
	return &Solver{kind: "tls-alpn-01", key: key{"tls-alpn-01", "tcp", net.JoinHostPort(host, strconv.Itoa(port))}}
}

// Over keeps to one version of IP, 4 or 6, as lego's --ipv4only and --ipv6only do; 0 is either.
func (s *Solver) Over(version int) *Solver {
	if version != 0 {
		s.key.network = "tcp" + strconv.Itoa(version)
	}
	return s
}

// Type is the challenge's type.
func (s *Solver) Type() string { return s.kind }

// Prepare binds the port, or joins those who have.
func (s *Solver) Prepare(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server != nil {
		return nil
	}
	server, err := join(ctx, s.key)
	s.server = server
	return err
}

// Release leaves the port; the last one closes it.
func (s *Solver) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server != nil {
		leave(s.key, s.server)
		s.server = nil
	}
}

// Present makes the answer visible.
func (s *Solver) Present(ctx context.Context, answer acme.Answer) error {
	if err := s.Prepare(ctx); err != nil {
		return err
	}
	if err := s.server.answers.add(ctx, answer, s.header); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.presented = append(s.presented, answer)
	return nil
}

// Wait has nothing to wait for: what a listener presents is visible at once.
func (s *Solver) Wait(context.Context, acme.Answer) error { return nil }

// CleanUp takes the answer away, if it was ours: another order may show the same one.
func (s *Solver) CleanUp(_ context.Context, answer acme.Answer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.presented, answer); i >= 0 {
		s.presented = slices.Delete(s.presented, i, i+1)
		s.server.answers.remove(answer)
	}
	return nil
}

// Seen delivers a value for each validation request that the CA has sent for an
// answer: the moment to ask for the authorization's state.
func (s *Solver) Seen(answer acme.Answer) <-chan struct{} { return s.server.answers.seen(answer) }

// answers is what a server knows: which answer belongs to a request.
type answers interface {
	add(ctx context.Context, answer acme.Answer, hostHeader string) error
	remove(acme.Answer)
	seen(acme.Answer) <-chan struct{}
	count() int
	serve(net.Listener) (stop func())
}

type key struct{ kind, network, address string }

type server struct {
	answers answers
	stop    func()
	users   int
	ready   chan struct{}
	err     error
}

var servers = struct {
	sync.Mutex
	byKey map[key]*server
}{byKey: map[key]*server{}}

// join finds or starts the server of a port. Whoever comes first binds it, the
// others wait for the outcome.
func join(ctx context.Context, k key) (*server, error) {
	servers.Lock()
	s := servers.byKey[k]
	first := s == nil
	if first {
		s = &server{ready: make(chan struct{})}
		servers.byKey[k] = s
	}
	s.users++
	servers.Unlock()

	if first {
		s.start(ctx, k)
	}
	select {
	case <-s.ready:
	case <-ctx.Done():
		leave(k, s)
		return nil, ctx.Err()
	}
	if s.err == nil {
		return s, nil
	}
	leave(k, s)
	if !first && (errors.Is(s.err, context.Canceled) || errors.Is(s.err, context.DeadlineExceeded)) {
		return join(ctx, k) // the one who was binding has given up; take its place
	}
	return nil, s.err
}

func leave(k key, s *server) {
	servers.Lock()
	defer servers.Unlock()
	s.users--
	if s.err != nil && servers.byKey[k] == s {
		delete(servers.byKey, k)
	}
	if s.users == 0 && s.err == nil && s.stop != nil {
		delete(servers.byKey, k)
		// Under the lock, so that the next order finds the port free.
		s.stop()
	}
}

func (s *server) start(ctx context.Context, k key) {
	defer close(s.ready)
	listener, err := listen(ctx, k)
	servers.Lock() // who stops waiting looks at the server, too
	defer servers.Unlock()
	if err != nil {
		s.err = err
		return
	}
	if k.kind == "http-01" {
		s.answers = newHTTPAnswers()
	} else {
		s.answers = newTLSAnswers()
	}
	stop := s.answers.serve(&crowd{Listener: listener, most: func() int { return maxConnections + perAnswer*s.answers.count() }})
	s.stop = func() {
		hangUp(listener)
		stop()
	}
}

// listen binds the port. One that another process holds may be another worker's,
// for the second that its own order takes.
func listen(ctx context.Context, k key) (net.Listener, error) {
	began := time.Now()
	for {
		listener, err := (&net.ListenConfig{}).Listen(ctx, k.network, k.address)
		switch {
		case err == nil:
			return listener, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case !errors.Is(err, syscall.EADDRINUSE) || time.Since(began) > busyFor:
			return nil, fault.Wrap(fault.CertificateObtainFailed, err, "cannot listen on %s for %s%s", k.address, k.kind, advice(err))
		}
		if err := system.Sleep(ctx, busyRetry); err != nil {
			return nil, err
		}
	}
}

func advice(err error) string {
	switch {
	case errors.Is(err, syscall.EACCES):
		return " (ports below 1024 need CAP_NET_BIND_SERVICE, or another port with the CA's requests forwarded to it)"
	case errors.Is(err, syscall.EADDRINUSE):
		return " (another program holds the port)"
	}
	return ""
}

// watchers counts the CA's requests for one answer.
type watchers struct {
	mu    sync.Mutex
	byKey map[string]chan struct{}
}

func (w *watchers) channel(key string) chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byKey == nil {
		w.byKey = map[string]chan struct{}{}
	}
	if w.byKey[key] == nil {
		w.byKey[key] = make(chan struct{}, 10)
	}
	return w.byKey[key]
}

func (w *watchers) notify(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case w.byKey[key] <- struct{}{}:
	default: // nobody waits, or enough is known
	}
}

func (w *watchers) drop(key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.byKey, key)
}

// serverName is the name under which a CA asks for an identifier: itself, or for
// an IP address its reverse-DNS name (RFC 8738 section 6).
func serverName(identifier legoacme.Identifier) string {
	if identifier.Type == "ip" {
		return reverseName(net.ParseIP(identifier.Value))
	}
	return identifier.Value
}
