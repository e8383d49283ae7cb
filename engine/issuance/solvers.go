package issuance

import (
	"context"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	legoacme "github.com/go-acme/lego/v5/acme"

	"pylego/engine/acme"
	"pylego/engine/caller"
	"pylego/engine/dnssolver"
	"pylego/engine/fault"
	"pylego/engine/ownsolver"
	"pylego/engine/report"
	"pylego/engine/responder"
)

// Challenge configures one way to have identifiers validated.
type Challenge struct {
	Type  string `json:"type"`
	For   string `json:"for,omitempty"`   // pattern of the names that it is for; empty: all
	Group int    `json:"group,omitempty"` // of those for the same names; the first group that fits a name is its own

	// http-01 and tls-alpn-01: interface to listen on (empty: all), by which version of
	// IP alone (0: either), and seconds between the answer and the CA's being told.
	Host      string  `json:"host,omitempty"`
	Port      int     `json:"port,omitempty"`
	IPVersion int     `json:"ip_version,omitempty"`
	Delay     float64 `json:"delay,omitempty"`

	// http-01: the header that tells which name was asked for, behind a proxy; or a
	// folder that a web server serves, instead of listening.
	ProxyHeader string `json:"proxy_header,omitempty"`
	Webroot     string `json:"webroot,omitempty"`

	// dns-persist-01: what a record that is missing shall say.
	Wildcard bool  `json:"wildcard,omitempty"`
	Until    int64 `json:"until,omitempty"` // seconds since 1970

	Own *Own `json:"own,omitempty"` // for dns-persist-01 what writes the record
	DNS
}

// Own is a solver of the caller's.
type Own struct {
	Number int    `json:"number"`
	Alone  string `json:"alone,omitempty"` // what keeps its calls apart; empty: they may be made at once
	Looks  bool   `json:"looks,omitempty"` // it waits until its answers are visible
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

// waiter is a solver that may look whether its answers are visible.
type waiter interface {
	Waits() bool
}

// prepared is a solver whose preparation runs once, and early.
type prepared struct {
	solver
	Challenge
	way   int // its place among the configured challenges
	ready func() error
	delay time.Duration // between the answer and the CA's being told
}

// Type is the challenge's type.
func (p *prepared) Type() string { return p.solver.Type() }

// prepare makes the solvers and starts the first: a port is bound or a host
// started while the CA is being asked. The others wait until they are needed.
func prepare(ctx context.Context, r *request, reporter report.Reporter) (*solvers, error) {
	s := &solvers{}
	ctx, s.stop = context.WithCancel(ctx)
	for way, challenge := range r.challenges {
		made, err := challenge.solver(r, reporter)
		if err != nil {
			s.stop()
			return nil, err
		}
		s.list = append(s.list, &prepared{
			solver: made, Challenge: challenge, way: way, delay: caller.Seconds(challenge.Delay),
			ready: sync.OnceValue(func() error { return made.Prepare(ctx) }),
		})
	}
	s.early.Go(func() { _ = fault.Guard(s.list[0].ready) }) // whoever presents gets the error
	return s, nil
}

// usable waits for the DNS providers that are the only way to validate some name.
// One that cannot even be made, since a credential is missing say, is told before
// the CA is asked for anything. Where its process does not run yet that costs the
// start, some 15 ms.
func (s *solvers) usable(r *request) *fault.Error {
	names := map[int][]legoacme.Identifier{}
	for _, identifier := range r.order.Identifiers {
		own := group(r.challenges, identifier.Value)
		names[own] = append(names[own], identifier)
	}
	for _, own := range slices.Sorted(maps.Keys(names)) {
		if failed := unusable(s.of(own)); failed != nil {
			failed.Identifiers = names[own]
			return failed
		}
	}
	return nil
}

// unusable is the preferred provider's error, where the ways are providers and none can be made.
func unusable(ways []*prepared) (first *fault.Error) {
	if slices.ContainsFunc(ways, func(p *prepared) bool { _, provider := p.solver.(*dnssolver.Solver); return !provider }) {
		return nil
	}
	for _, p := range ways {
		err := fault.Guard(p.ready)
		if err == nil {
			return nil
		}
		if first == nil {
			first = cannotBeMade(err)
		}
	}
	return first
}

func cannotBeMade(err error) *fault.Error {
	var known *fault.Error
	if errors.As(err, &known) {
		own := *known // the other orders of the provider's process have the same error
		return &own
	}
	return fault.Wrap(fault.DNSProviderFailed, err, "the DNS provider cannot be used")
}

func (c Challenge) solver(r *request, reporter report.Reporter) (solver, error) {
	if err := c.checkResolvers(); err != nil {
		return nil, err
	}
	switch {
	case c.Type == "dns-persist-01":
		return c.persist(r, reporter)
	case c.Own != nil:
		return c.own(r, reporter), nil
	case c.Type == "dns-01":
		return c.DNS.solver(r.caller, r.cleanUp, reporter), nil
	case c.Type == "http-01" && c.Webroot != "":
		return responder.NewWebroot(r.caller.Path(c.Webroot)), nil
	case c.Type != "http-01" && c.Type != "tls-alpn-01":
		return nil, fault.New(fault.InvalidArguments, "unknown challenge type %q: known are http-01, tls-alpn-01, dns-01 and dns-persist-01", c.Type)
	case c.Port < 1 || c.Port > 65535:
		return nil, fault.New(fault.InvalidArguments, "port %d for %s is out of range: 1 to 65535", c.Port, c.Type)
	case c.IPVersion != 0 && c.IPVersion != 4 && c.IPVersion != 6:
		return nil, fault.New(fault.InvalidArguments, "ip_version %d for %s is not known: allowed are 4 and 6", c.IPVersion, c.Type)
	case c.Type == "http-01":
		return responder.HTTP01(c.Host, c.Port, c.ProxyHeader).Over(c.IPVersion), nil
	}
	return responder.TLSALPN01(c.Host, c.Port).Over(c.IPVersion), nil
}

func (c Challenge) own(r *request, reporter report.Reporter) *ownsolver.Solver {
	return ownsolver.New(c.Type, ownsolver.Config{
		Number: c.Own.Number, Alone: c.Own.Alone, Looks: c.Own.Looks, Grace: r.cleanUp, Report: reporter,
	})
}

func (c Challenge) persist(r *request, reporter report.Reporter) (solver, error) {
	looks, err := c.looks(r.caller)
	if err != nil {
		return nil, err
	}
	config := dnssolver.PersistConfig{Propagation: looks, Wildcard: c.Wildcard, Until: c.Until}
	if c.Own != nil {
		config.Set = c.own(r, reporter).SetTXT
	}
	return dnssolver.NewPersist(config), nil
}

// group is the one that is for a name: the first of which the pattern fits; -1 if
// there is none.
func group(challenges []Challenge, name string) int {
	for _, c := range challenges {
		if fits, _ := path.Match(strings.ToLower(c.For), name); fits || c.For == "" {
			return c.Group
		}
	}
	return -1
}

// everyName checks that there is a challenge for each name, and that patterns are some.
func (r *request) everyName() error {
	for _, c := range r.challenges {
		if _, err := path.Match(c.For, ""); err != nil {
			return fault.New(fault.InvalidArguments, "%q is no pattern of names", c.For)
		}
	}
	for _, identifier := range r.order.Identifiers {
		if group(r.challenges, identifier.Value) < 0 {
			return fault.New(fault.InvalidArguments, "no challenge is for %s: none of the patterns fits it", identifier.Value)
		}
	}
	return nil
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

// of are the ways for the names of a group.
func (s *solvers) of(group int) (ways []*prepared) {
	for _, p := range s.list {
		if p.Group == group {
			ways = append(ways, p)
		}
	}
	return ways
}

func types(ways []*prepared) string {
	var names []string
	for _, p := range ways {
		if !slices.Contains(names, p.Type()) {
			names = append(names, p.Type())
		}
	}
	return strings.Join(names, ", ")
}

// choose takes the preferred solver for a name for which the CA offers a challenge.
func (s *solvers) choose(r *request, authorization *acme.Authorization) (*prepared, *legoacme.Challenge, error) {
	ways := s.of(group(r.challenges, acme.Answer{Identifier: authorization.Identifier, Wildcard: authorization.Wildcard}.Name()))
	for _, p := range ways {
		if challenge := authorization.Challenge(p.Type()); challenge != nil {
			return p, challenge, nil
		}
	}
	return nil, nil, fault.New(fault.ChallengeFailed, "the CA offers %s, configured is %s", strings.Join(authorization.Types(), ", "), types(ways))
}

// unreachable are the problems that another challenge type may not have. After
// dns, caa, rejectedIdentifier and rateLimited it would have the same ones.
var unreachable = []string{legoacme.ConnectionErrorType, legoacme.TLSErrorType, legoacme.UnauthorizedErrorType}

// unpresented are our own failures of the same kind: a port that could not be
// bound, a provider that refused, a record that nobody saw.
var unpresented = []fault.Code{
	fault.CertificateObtainFailed, fault.DNSProviderFailed, fault.PropagationTimeout,
	fault.UnknownProvider, fault.MissingCredentials, fault.SolverFailed,
}

func ofTypeAlone(attempt fault.Attempt) bool {
	if attempt.Problem != nil {
		return slices.Contains(unreachable, attempt.Problem.Type)
	}
	return slices.Contains(unpresented, attempt.Code)
}

// after returns the solvers for another try: those that have not failed, if each
// failure concerns only its own solver and the CA offers the name another of its
// group. next are the preferred of these.
func (s *solvers) after(err error) (rest *solvers, next []*prepared) {
	var failed *fault.Error
	if !errors.As(err, &failed) || len(failed.Attempts) == 0 {
		return nil, nil
	}
	rest = &solvers{}
	var spent []*prepared
	for _, p := range s.list {
		if slices.ContainsFunc(failed.Attempts, func(a fault.Attempt) bool { return a.Way == p.way }) {
			spent = append(spent, p)
		} else {
			rest.list = append(rest.list, p)
		}
	}
	for _, attempt := range failed.Attempts {
		used := slices.IndexFunc(s.list, func(p *prepared) bool { return p.way == attempt.Way })
		if used < 0 || !ofTypeAlone(attempt) {
			return nil, nil // no configured type was offered, or no other would do better
		}
		ways := rest.of(s.list[used].Group)
		other := slices.IndexFunc(ways, func(p *prepared) bool { return slices.Contains(attempt.Offered, p.Type()) })
		if other < 0 {
			return nil, nil
		}
		next = append(next, ways[other])
	}
	for _, p := range spent {
		p.Release() // its port may be the next one's, too
	}
	return rest, next
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
