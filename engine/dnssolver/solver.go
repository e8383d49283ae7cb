// Package dnssolver answers dns-01 challenges (RFC 8555 section 8.4): a provider
// of lego, in a process of its own, writes the TXT records; we see to it that
// orders do not spoil each other's, and look ourselves when they can be seen.
package dnssolver

import (
	"context"
	"fmt"
	"sync"
	"time"

	"pylego/engine/acme"
	"pylego/engine/providerhost"
	"pylego/engine/report"
)

// Config is one order's DNS-01.
type Config struct {
	providerhost.Config
	Propagation Propagation
	Grace       time.Duration      // for a Present on its way when its context ends: broken off, it may write after its clean-up
	Report      report.Reporter    // nil: nobody listens
	Pool        *providerhost.Pool // nil: the shared one
}

// Propagation says what Solver.Wait waits for.
type Propagation struct {
	Wait          time.Duration // above 0: just wait so long, and look at nothing
	Authoritative bool          // every server of the zone has the record
	Recursive     bool          // every resolver has it
	Resolvers     []string      // host:port or host; none: those of /etc/resolv.conf
	DisableCNAME  bool          // as LEGO_DISABLE_CNAME_SUPPORT in the provider's environment
	TCPOnly       bool          // as LEGO_EXPERIMENTAL_DNS_TCP_ONLY there
	Port          int           // of authoritative servers; 0 is 53, a test's DNS listens elsewhere
}

// Solver answers the dns-01 challenges of one order. Its methods may be called
// at the same time for different answers.
type Solver struct {
	config      Config
	credentials string // tells apart who must not write at the same time

	acquiring sync.Mutex // one goroutine acquires, the others wait for it

	mu      sync.Mutex
	lease   *providerhost.Lease
	old     []*providerhost.Lease // still hold records of this order
	ready   providerhost.Ready
	records map[recordKey]*record
}

// New makes a solver; nothing is started yet.
func New(config Config) *Solver {
	if config.Pool == nil {
		config.Pool = providerhost.Shared()
	}
	if config.Report == nil {
		config.Report = report.Discard
	}
	return &Solver{config: config, credentials: credentials(config.Config), records: map[recordKey]*record{}}
}

// Type is the challenge type of RFC 8555.
func (s *Solver) Type() string { return "dns-01" }

// Waits reports that it looks for its records.
func (s *Solver) Waits() bool { return true }

// Prepare starts the provider's host, or joins one that runs, and waits until
// the provider is made. Whatever needs a host calls it by itself; called early,
// it hides the start behind the order's own requests.
func (s *Solver) Prepare(ctx context.Context) error { return PrepareAll(ctx, s) }

// PrepareAll prepares the solvers of an order that has several. They get their
// hosts at once: two orders that each held what the other needs would wait for ever.
func PrepareAll(ctx context.Context, solvers ...*Solver) error {
	var lacking []*Solver
	var configs []providerhost.Config
	for _, s := range solvers {
		s.acquiring.Lock()
		defer s.acquiring.Unlock()
		if s.usable() == nil {
			lacking, configs = append(lacking, s), append(configs, s.config.Config)
		}
	}
	if len(lacking) == 0 {
		return nil
	}

	first := lacking[0]
	leases, err := first.config.Pool.AcquireAll(ctx, func() {
		first.waiting(acme.Answer{}, "all processes for DNS providers are in use")
	}, configs...)
	if err != nil {
		return err
	}
	var failed error
	for i, s := range lacking {
		if err := s.take(ctx, leases[i]); err != nil && failed == nil {
			failed = err
		}
	}
	return failed
}

// take waits for a new host and makes it the solver's.
func (s *Solver) take(ctx context.Context, lease *providerhost.Lease) error {
	ready, err := lease.Ready(ctx)
	if err != nil {
		lease.Release()
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lease != nil {
		s.old = append(s.old, s.lease)
	}
	s.lease, s.ready = lease, ready
	return nil
}

// usable is the solver's host, or nil where it has none or lost it: another
// order's call may have hung in it.
func (s *Solver) usable() *providerhost.Lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lease == nil || !s.lease.Alive() {
		return nil
	}
	return s.lease
}

// host is a host in which a call can be made, a new one if need be.
func (s *Solver) host(ctx context.Context) (*providerhost.Lease, error) {
	if lease := s.usable(); lease != nil {
		return lease, nil
	}
	if err := s.Prepare(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lease, nil
}

// Sequential reports whether the provider keeps one TXT record for all, and how
// long it wants to rest after each. It is known once Prepare has returned.
func (s *Solver) Sequential() (bool, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ready.Sequential, s.ready.Pause
}

// Release gives the host back. Nothing can be cleaned up after it.
func (s *Solver) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, lease := range append(s.old, s.lease) {
		if lease != nil {
			lease.Release()
		}
	}
	s.lease, s.old = nil, nil
}

// Turn lets one order at a time through the whole cycle of one authorization
// (present, wait, trigger, validate, clean up) where the provider is Sequential,
// and keeps its pause between two; for all others it returns at once. Waiting
// counts against the context's deadline.
func (s *Solver) Turn(ctx context.Context) (release func(), err error) {
	if _, err := s.host(ctx); err != nil {
		return nil, err
	}
	sequential, pause := s.Sequential()
	if !sequential {
		return func() {}, nil
	}
	lane, err := turns.enter(ctx, s.credentials, func(wait time.Duration) {
		s.report(report.Event{
			Kind:   report.Waiting,
			Detail: fmt.Sprintf("DNS provider %s keeps one record at a time; another is in use", s.config.Provider),
			Wait:   wait.Seconds(),
		})
	})
	if err != nil {
		return nil, s.inLine(err)
	}
	return sync.OnceFunc(func() { lane.leave(pause) }), nil
}

func (s *Solver) waiting(answer acme.Answer, detail string) {
	s.report(report.Event{Kind: report.Waiting, Identifier: answer.Name(), Detail: detail})
}

func (s *Solver) report(event report.Event) {
	event.Challenge = s.Type()
	s.config.Report(event)
}
