package dnssolver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"pylego/engine/acme"
	"pylego/engine/fault"
	"pylego/engine/providerhost"
	"pylego/engine/report"
	"pylego/engine/system"
)

// recordKey is one TXT record. A CA may give a name and its wildcard the same
// token: then one record answers both.
type recordKey struct{ domain, token, keyAuthorization string }

type record struct {
	mu      sync.Mutex // over each call about this record
	users   int        // answers that rely on it
	info    providerhost.ChallengeInfo
	lease   *providerhost.Lease // the host that knows it
	began   bool                // the provider may have written something
	written bool                // the provider said that it has
	refused bool                // the provider said that it has not
	crowd   string              // while it is one of several at a name that is cleared as a whole
	sharers []func()            // tell those who relied on it and have gone that it is gone
}

// ErrLeft is what CleanUp says of a record that somebody else takes away: it is
// still there. Once it is gone its own order hears of it as an event, if it lasts.
var ErrLeft = errors.New("the record is left to the last one who needs it, or its name")

func keyOf(answer acme.Answer) recordKey {
	return recordKey{answer.Identifier.Value, answer.Token, answer.KeyAuthorization}
}

func (s *Solver) record(answer acme.Answer) *record {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.records[keyOf(answer)]
	if r == nil {
		r = &record{}
		s.records[keyOf(answer)] = r
	}
	return r
}

// Present has the provider write the record. It returns when the provider says
// that it is written; who can see it by then is Wait's question.
func (s *Solver) Present(ctx context.Context, answer acme.Answer) error {
	r := s.record(answer)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.users++
	if r.written {
		return nil
	}

	lease, err := s.name(ctx, answer, r)
	if err != nil {
		return err
	}
	lane, err := s.write(ctx, answer, r)
	if err != nil {
		return err
	}
	defer lane.leave(0)
	if !lease.Alive() { // it ended while we were in line
		if lease, err = s.host(ctx); err != nil {
			return err
		}
	}
	if ctx.Err() == nil {
		r.began, r.lease = true, lease
		if r.crowd == "" {
			s.join(r)
		}
	}
	heard, stop := system.Outliving(ctx, s.config.Grace)
	defer stop()
	err = lease.Present(heard, answer.Identifier.Value, answer.Token, answer.KeyAuthorization)
	r.written = err == nil
	r.refused = err != nil && !providerhost.Unsure(err) && heard.Err() == nil
	if err != nil && ctx.Err() != nil {
		return &fault.Error{Code: fault.Ended(ctx.Err()), Detail: err.Error(), Err: errors.Join(ctx.Err(), err)}
	}
	return err
}

// name asks the host where the record goes. Nothing is written by that, so a
// host that ended meanwhile is simply replaced.
func (s *Solver) name(ctx context.Context, answer acme.Answer, r *record) (*providerhost.Lease, error) {
	for try := 0; ; try++ {
		lease, err := s.host(ctx)
		if err != nil {
			return nil, err
		}
		r.info, err = lease.ChallengeInfo(ctx, answer.Identifier.Value, answer.KeyAuthorization)
		if err == nil {
			return lease, nil
		}
		if try > 0 || !providerhost.Gone(err) || ctx.Err() != nil {
			return nil, err
		}
	}
}

// write waits until no other call of this process may disturb one about r.
func (s *Solver) write(ctx context.Context, answer acme.Answer, r *record) (*lane, error) {
	key := writeLane(s.config.Provider, s.credentials, r.info.EffectiveFQDN)
	lane, err := writes.enter(ctx, key, func(time.Duration) {
		s.waiting(answer, fmt.Sprintf("DNS provider %s changes one record at a time", s.config.Provider))
	})
	if err != nil {
		return nil, s.inLine(err)
	}
	return lane, nil
}

func (s *Solver) inLine(err error) error {
	return interrupted(err, "still in line for DNS provider "+s.config.Provider)
}

// CleanUp has the provider delete the record; it does nothing where none can
// have been written. It is tried once more, in a new host where the one that
// wrote it has gone and a new one can find it. Where the provider clears whole
// names, the last one there does it for all. Its error names the records that may
// be left.
func (s *Solver) CleanUp(ctx context.Context, answer acme.Answer) error {
	r := s.record(answer)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.users--; r.users > 0 {
		r.sharers = append(r.sharers, s.goneLater(answer, r))
		return ErrLeft
	}
	r.users = 0
	if !r.began {
		return nil
	}

	lane, err := s.write(ctx, answer, r)
	if err == nil {
		defer lane.leave(0)
	}
	last, values, others := s.leave(r, answer) // in the lane: nobody presents between this and the clean-up
	if !last {
		slog.Debug("A record is left to the clean-up of the last one at its name.", slog.String("record", r.info.EffectiveFQDN))
		s.forget(answer)
		return ErrLeft
	}
	if err == nil {
		err = s.cleanUpTwice(ctx, answer, r)
		if err != nil && r.refused && len(values) == 1 {
			// Nothing was written: the provider only says so again.
			slog.Debug("Cleaning up after a refused record failed.", slog.Any("error", err))
			return nil
		}
	}
	if err != nil {
		return s.leftOver(err, r, values)
	}
	s.forget(answer)
	for _, tell := range others {
		tell()
	}
	return nil
}

func (s *Solver) forget(answer acme.Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.records, keyOf(answer))
}

// goneLater makes what tells of a record's end when somebody else has taken it away.
func (s *Solver) goneLater(answer acme.Answer, r *record) func() {
	if !r.written {
		return func() {}
	}
	return func() { s.report(report.Event{Kind: report.CleanedUp, Identifier: answer.Name()}) }
}

func (s *Solver) join(r *record) {
	if r.crowd = crowdOf(s.config.Provider, s.credentials, r.info.EffectiveFQDN); r.crowd != "" {
		clearedAsOne.join(r.crowd)
	}
}

// leave reports whether the record is to be cleaned up now; then also all values that
// go with it, and what tells the others.
func (s *Solver) leave(r *record, answer acme.Answer) (last bool, values []string, others []func()) {
	crowd := r.crowd
	if r.crowd = ""; crowd == "" {
		return true, []string{r.info.Value}, r.sharers
	}
	last, values, others = clearedAsOne.leave(crowd, r.info.Value, append(r.sharers, s.goneLater(answer, r)))
	if last {
		others = others[:len(others)-1] // whoever called tells of this one
	}
	return last, values, others
}

// cleanUpTwice tries again in the same host, or in a new one. A provider that
// remembers its records would not find this one there; some then say that all is well.
func (s *Solver) cleanUpTwice(ctx context.Context, answer acme.Answer, r *record) error {
	var first error
	if r.lease.Alive() {
		limited, cancel := halfTheTime(ctx)
		first = r.lease.CleanUp(limited, answer.Identifier.Value, answer.Token, answer.KeyAuthorization)
		cancel()
		if first == nil {
			return s.believed(r)
		}
		if r.refused || ctx.Err() != nil || slices.Contains(forgetting, s.config.Provider) {
			return first
		}
		slog.Debug("Cleaning up is tried again.", slog.Any("error", first))
	}

	lease, gone := r.lease, !r.lease.Alive() || providerhost.Gone(first)
	if s.remembers() {
		if gone {
			return cmp.Or(first, lease.End())
		}
	} else if gone || providerhost.Unsure(first) {
		var err error
		if lease, err = s.otherHost(ctx, lease); err != nil {
			return err
		}
	}
	return lease.CleanUp(ctx, answer.Identifier.Value, answer.Token, answer.KeyAuthorization)
}

func (s *Solver) remembers() bool { return slices.Contains(remembering, s.config.Provider) }

// believed doubts a clean-up by a provider that remembers its records: of one whose
// Present did not come to its end it may know nothing, and say that all is well.
func (s *Solver) believed(r *record) error {
	if r.written || r.refused || !s.remembers() {
		return nil
	}
	return fault.New(fault.DNSProviderFailed, "DNS provider %s may not have got to know whether it was written", s.config.Provider)
}

// otherHost is one in which the provider does not hang.
func (s *Solver) otherHost(ctx context.Context, hanging *providerhost.Lease) (*providerhost.Lease, error) {
	s.mu.Lock()
	if s.lease == hanging {
		s.old, s.lease = append(s.old, hanging), nil
	}
	s.mu.Unlock()
	return s.host(ctx)
}

func (s *Solver) leftOver(err error, r *record, values []string) error {
	return fault.Wrap(fault.CodeOf(err, fault.DNSProviderFailed), err, "the TXT record %s with the value %s may be left", r.info.EffectiveFQDN, strings.Join(values, " and "))
}

// halfTheTime leaves the other half for a second try.
func halfTheTime(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)/2)
}
