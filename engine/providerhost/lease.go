package providerhost

import (
	"context"
	"errors"
	"fmt"
)

// ChallengeInfo is where a record goes and what it says, by lego's own code in
// the host: with the call's resolvers, and its LEGO_DISABLE_CNAME_SUPPORT.
type ChallengeInfo struct {
	FQDN          string // _acme-challenge.<domain>.
	EffectiveFQDN string // behind CNAMEs
	Value         string // of the TXT record
}

// Lease is one order's share of a host.
type Lease struct {
	pool *Pool
	host *host

	// Guarded by the pool's mutex.
	records  map[challengeBody]struct{} // presented and not cleaned up
	released bool
}

// Gone tells an error of a call whose host has ended from one that the provider
// gave: the former may be tried in a new host.
func Gone(err error) bool { return errors.Is(err, errHostGone) || errors.Is(err, errHanging) }

// Unsure tells an error of a call that may have done its work all the same.
func Unsure(err error) bool { return Gone(err) || errors.Is(err, errUnsure) }

// Alive reports whether a call can be made.
func (l *Lease) Alive() bool { return l.host.alive() }

// End waits until the host has ended, and says how, and what it last said.
func (l *Lease) End() error {
	<-l.host.ended
	<-l.host.started
	if l.host.startErr != nil {
		return l.host.startErr
	}
	return l.host.describe("has gone", errHostGone)
}

// Ready waits until the provider is made.
func (l *Lease) Ready(ctx context.Context) (Ready, error) {
	select {
	case <-l.host.started:
		return l.host.ready, l.host.startErr
	default:
	}
	select {
	case <-l.host.started:
		return l.host.ready, l.host.startErr
	case <-ctx.Done():
		return Ready{}, l.host.late(ctx.Err())
	}
}

// ChallengeInfo asks for a record's name and value. It changes nothing.
func (l *Lease) ChallengeInfo(ctx context.Context, domain, keyAuthorization string) (ChallengeInfo, error) {
	var info infoBody
	err := l.call(ctx, kindChallengeInfo, challengeBody{Domain: domain, KeyAuthorization: keyAuthorization}, &info,
		"could not name the record for "+domain)
	return ChallengeInfo(info), err
}

// Present has the provider create a record. From the call on, even if it fails,
// the record counts as one that may have to be cleaned up.
func (l *Lease) Present(ctx context.Context, domain, token, keyAuthorization string) error {
	record := challengeBody{domain, token, keyAuthorization}
	if ctx.Err() == nil {
		l.pool.addRecord(l, record)
	}
	return l.call(ctx, kindPresent, record, nil, "could not present the record for "+domain)
}

// CleanUp has the provider delete a record.
func (l *Lease) CleanUp(ctx context.Context, domain, token, keyAuthorization string) error {
	record := challengeBody{domain, token, keyAuthorization}
	if err := l.call(ctx, kindCleanUp, record, nil, "could not clean up the record for "+domain); err != nil {
		return err
	}
	l.pool.removeRecord(l, record)
	return nil
}

// Release gives the share back. Records that are not cleaned up by then are
// given up. It may be called more than once.
func (l *Lease) Release() { l.pool.release(l) }

func (l *Lease) call(ctx context.Context, kind kind, in challengeBody, out any, action string) error {
	if _, err := l.Ready(ctx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return l.host.describe(action, err)
	}
	err := l.host.request(ctx, kind, in, out)
	if err == nil {
		return nil
	}
	l.pool.callFailed(l, in, errors.Is(err, errHanging))
	return l.host.describe(action, err)
}

// late is a provider that is not made when its order's time is over.
func (h *host) late(err error) error {
	late := contextFault(err, fmt.Sprintf("DNS provider %s was still starting", h.config.Provider))
	select {
	case <-h.running:
		late.Detail = h.quoted(late.Detail)
	default:
	}
	return late
}
