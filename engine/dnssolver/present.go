package dnssolver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"pylego/engine/acme"
	"pylego/engine/fault"
	"pylego/engine/providerhost"
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
}

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
	}
	err = lease.Present(ctx, answer.Identifier.Value, answer.Token, answer.KeyAuthorization)
	r.written = err == nil
	r.refused = err != nil && !providerhost.Gone(err) && ctx.Err() == nil
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
// wrote it has gone. Its error names a record that may be left.
func (s *Solver) CleanUp(ctx context.Context, answer acme.Answer) error {
	r := s.record(answer)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.users--; r.users > 0 {
		return nil
	}
	r.users = 0
	if !r.began {
		return nil
	}

	lane, err := s.write(ctx, answer, r)
	if err != nil {
		return s.leftOver(err, r)
	}
	defer lane.leave(0)
	if err := s.cleanUpTwice(ctx, answer, r); err != nil {
		if r.refused { // nothing was written: the provider only says so again
			slog.Debug("Cleaning up after a refused record failed.", slog.Any("error", err))
			return nil
		}
		return s.leftOver(err, r)
	}
	s.mu.Lock()
	delete(s.records, keyOf(answer))
	s.mu.Unlock()
	return nil
}

func (s *Solver) cleanUpTwice(ctx context.Context, answer acme.Answer, r *record) error {
	first := errors.New("the host has gone")
	if r.lease.Alive() {
		limited, cancel := halfTheTime(ctx)
		first = r.lease.CleanUp(limited, answer.Identifier.Value, answer.Token, answer.KeyAuthorization)
		cancel()
		if first == nil || r.refused || ctx.Err() != nil {
			return first
		}
		slog.Debug("Cleaning up is tried again.", slog.Any("error", first))
	}

	lease := r.lease
	if !lease.Alive() || providerhost.Gone(first) {
		var err error
		if lease, err = s.otherHost(ctx, r.lease); err != nil {
			return err
		}
	}
	return lease.CleanUp(ctx, answer.Identifier.Value, answer.Token, answer.KeyAuthorization)
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

func (s *Solver) leftOver(err error, r *record) error {
	return fault.Wrap(fault.CodeOf(err, fault.DNSProviderFailed), err, "the TXT record %s with the value %s may be left", r.info.EffectiveFQDN, r.info.Value)
}

// halfTheTime leaves the other half for a second try.
func halfTheTime(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)/2)
}
