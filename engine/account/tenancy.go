package account

import (
	"context"
	"crypto"
	"sync"

	"golang.org/x/sync/semaphore"

	"pylego/engine/acme"
	"pylego/engine/fault"
	"pylego/engine/report"
)

// everybody is the weight of one who wants an account alone.
const everybody = 1 << 30

// tenancies let a rollover have an account alone: a request that is signed with
// the old key while the CA changes it would be refused. They hold for the process,
// whichever way a client reaches the CA.
var tenancies = struct {
	sync.Mutex
	byAccount map[string]*tenancy
}{byAccount: map[string]*tenancy{}}

type tenancy struct {
	places    *semaphore.Weighted
	users     int
	successor crypto.Signer // the key that a rollover has put in this one's place
}

// enter waits for a place at the account: beside others, or alone. Whoever has
// waited for a rollover goes on with the new key, among those that have it.
func (a *Applicant) enter(ctx context.Context, weight int64, reporter report.Reporter) (leave func(), err error) {
	for {
		if leave, err = a.wait(ctx, weight, reporter); err != nil {
			return nil, err
		}
		successor := a.tenancy.successor
		if successor == nil {
			return leave, nil
		}
		leave()
		a.Key = successor
		a.changes++
	}
}

// wait joins the tenancy of the key and waits for a place in it.
func (a *Applicant) wait(ctx context.Context, weight int64, reporter report.Reporter) (leave func(), err error) {
	name, err := a.tenancyName()
	if err != nil {
		return nil, err
	}
	tenancies.Lock()
	t := tenancies.byAccount[name]
	if t == nil {
		t = &tenancy{places: semaphore.NewWeighted(everybody)}
		tenancies.byAccount[name] = t
	}
	t.users++
	tenancies.Unlock()
	a.tenancy = t
	gone := func() {
		tenancies.Lock()
		defer tenancies.Unlock()
		if t.users--; t.users == 0 {
			delete(tenancies.byAccount, name)
		}
	}
	if !t.places.TryAcquire(weight) {
		reporter(report.Event{Kind: report.Waiting, Detail: inUse})
		if err := t.places.Acquire(ctx, weight); err != nil {
			gone()
			return nil, fault.Interrupted(err, inUse)
		}
	}
	return func() { t.places.Release(weight); gone() }, nil
}

// tenancyName is one for each account, as long as its key is the same.
func (a *Applicant) tenancyName() (string, error) {
	thumbprint, err := acme.Thumbprint(a.Key)
	if err != nil {
		return "", err
	}
	url, err := a.server.URL()
	return url + " " + thumbprint, err
}

const inUse = "the account is in use: its key is being changed, or waits to be"
