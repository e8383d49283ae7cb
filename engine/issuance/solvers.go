package issuance

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	legoacme "github.com/go-acme/lego/v5/acme"

	"pylego/engine/acme"
	"pylego/engine/caller"
	"pylego/engine/fault"
	"pylego/engine/report"
	"pylego/engine/responder"
)

// Challenge configures one way to have identifiers validated.
type Challenge struct {
	Type string `json:"type"`
	Host string `json:"host,omitempty"` // http-01, tls-alpn-01: interface to listen on; empty: all
	Port int    `json:"port,omitempty"`
	DNS
}

// solver makes answers of one challenge type visible.
type solver interface {
	Type() string
	Prepare(ctx context.Context) error
	Present(ctx context.Context, answer acme.Answer) error
	Wait(ctx context.Context, answer acme.Answer) error
	CleanUp(ctx context.Context, answer acme.Answer) error
	Release()
}

// watcher is a solver that sees the CA's validation requests.
type watcher interface {
	Seen(answer acme.Answer) <-chan struct{}
}

// sequencer is a solver that may keep one answer at a time (lego calls such a
// provider sequential): then Turn lets one authorization through from present to
// clean-up, and rests before the next.
type sequencer interface {
	Sequential() (bool, time.Duration)
	Turn(ctx context.Context) (release func(), err error)
}

// solvers are an order's ways to validate, the preferred one first.
type solvers struct {
	list  []*prepared
	stop  context.CancelFunc // of preparations that nobody needs any more
	early sync.WaitGroup
}

// prepared is a solver whose preparation runs once, and early.
type prepared struct {
	solver
	ready func() error
}

// prepare makes the solvers and starts the first: a port is bound or a host
// started while the CA is being asked. The others wait until they are needed.
func prepare(ctx context.Context, r *request, reporter report.Reporter) (*solvers, error) {
	s := &solvers{}
	ctx, s.stop = context.WithCancel(ctx)
	for _, challenge := range r.challenges {
		made, err := challenge.solver(r.caller, reporter)
		if err != nil {
			s.stop()
			return nil, err
		}
		s.list = append(s.list, &prepared{made, sync.OnceValue(func() error { return made.Prepare(ctx) })})
	}
	s.early.Go(func() { _ = fault.Guard(s.list[0].ready) }) // whoever presents gets the error
	return s, nil
}

func (c Challenge) solver(caller caller.Caller, reporter report.Reporter) (solver, error) {
	if c.Type != "dns-01" && (c.Port < 1 || c.Port > 65535) {
		return nil, fault.New(fault.InvalidArguments, "port %d for %s is out of range: 1 to 65535", c.Port, c.Type)
	}
	switch c.Type {
	case "http-01":
		return responder.HTTP01(c.Host, c.Port), nil
	case "tls-alpn-01":
		return responder.TLSALPN01(c.Host, c.Port), nil
	case "dns-01":
		return c.DNS.solver(caller, reporter), nil
	}
	return nil, fault.New(fault.InvalidArguments, "unknown challenge type %q: known are http-01, tls-alpn-01 and dns-01", c.Type)
}

// release waits for the early preparation: one that began after it would keep
// its port for ever.
func (s *solvers) release() {
	s.stop()
	s.early.Wait()
	for _, p := range s.list {
		p.Release()
	}
}

func (s *solvers) types() string {
	names := make([]string, len(s.list))
	for i, p := range s.list {
		names[i] = p.Type()
	}
	return strings.Join(names, ", ")
}

// choose takes the preferred solver for which the CA offers a challenge.
func (s *solvers) choose(authorization *acme.Authorization) (*prepared, *legoacme.Challenge, error) {
	for _, p := range s.list {
		if challenge := authorization.Challenge(p.Type()); challenge != nil {
			return p, challenge, nil
		}
	}
	return nil, nil, fault.New(fault.ChallengeFailed, "the CA offers %s, configured is %s", strings.Join(authorization.Types(), ", "), s.types())
}

// unreachable are the problems that another challenge type may not have. After
// dns, caa, rejectedIdentifier and rateLimited it would have the same ones.
var unreachable = []string{legoacme.ConnectionErrorType, legoacme.TLSErrorType, legoacme.UnauthorizedErrorType}

// unpresented are our own failures of the same kind: a port that could not be
// bound, a provider that refused, a record that nobody saw.
var unpresented = []fault.Code{fault.CertificateObtainFailed, fault.DNSProviderFailed, fault.PropagationTimeout}

func ofTypeAlone(attempt fault.Attempt) bool {
	if attempt.Problem != nil {
		return slices.Contains(unreachable, attempt.Problem.Type)
	}
	return slices.Contains(unpresented, attempt.Code)
}

// after returns the solvers for a second try: those after the type that failed,
// if it failed in a way that concerns only itself and the CA offers another.
func (s *solvers) after(err error) *solvers {
	var failed *fault.Error
	if !errors.As(err, &failed) || len(failed.Attempts) == 0 {
		return nil
	}
	last := -1
	for _, attempt := range failed.Attempts {
		if !ofTypeAlone(attempt) {
			return nil
		}
		index := slices.IndexFunc(s.list, func(p *prepared) bool { return p.Type() == attempt.Challenge })
		if index < 0 {
			return nil // no configured type was offered
		}
		last = max(last, index)
	}
	next := &solvers{}
	for _, p := range s.list[last+1:] {
		if !slices.ContainsFunc(failed.Attempts, func(a fault.Attempt) bool { return !slices.Contains(a.Offered, p.Type()) }) {
			next.list = append(next.list, p)
		}
	}
	if len(next.list) == 0 {
		return nil
	}
	return next
}

// both is the error of two tries, with every attempt. Where both failed at their
// challenges it is the first one's, whose type is the preferred one.
func both(first, second error) error {
	if second == nil {
		return nil
	}
	var failed, again *fault.Error
	if !errors.As(first, &failed) {
		return second
	}
	if errors.As(second, &again) && len(again.Attempts) > 0 {
		failed.Attempts = append(failed.Attempts, again.Attempts...)
		return first
	}
	return &fault.Error{Code: fault.CodeOf(second, fault.ChallengeFailed), Detail: second.Error(), Attempts: failed.Attempts, Err: second}
}
