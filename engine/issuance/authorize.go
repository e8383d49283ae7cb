package issuance

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	legoacme "github.com/go-acme/lego/v5/acme"
	"golang.org/x/sync/errgroup"

	"pylego/engine/acme"
	"pylego/engine/fault"
	"pylego/engine/report"
)

// atOnce bounds one order's requests; the CA's limiter bounds all orders'.
const atOnce = 32

// authorizing is the work between newOrder and finalize (RFC 8555 section 7.5).
type authorizing struct {
	*request
	report report.Reporter
	all    []*validation
	over   atomic.Pointer[time.Time] // when the operation was cancelled; nil: it was not
}

// authorize has every pending authorization validated. finish waits for the
// clean-up, which begins when authorize returns.
func (r *request) authorize(ctx context.Context, account *acme.Account, order *acme.Order, solvers *solvers, reporter report.Reporter) (finish func(), err error) {
	work := &authorizing{request: r, report: reporter}
	heard := context.AfterFunc(ctx, func() { now := time.Now(); work.over.Store(&now) })
	defer heard()
	if err = work.fetch(ctx, account, order.Authorizations); err == nil {
		err = work.choose(solvers)
	}
	if err == nil {
		err = work.validate(ctx)
	}
	cleaning, stop := work.detached(ctx)
	var ending sync.WaitGroup
	ending.Go(func() { guarded(nil, func() { work.cleanUp(cleaning) }) })
	if err != nil { // beside the clean-up: either may hang until the time is over
		ending.Go(func() { guarded(nil, func() { work.abandon(cleaning) }) })
	}
	return func() { ending.Wait(); stop() }, err
}

// fetch gets the authorizations in parallel and keeps the pending ones, in the
// order of their names.
func (w *authorizing) fetch(ctx context.Context, account *acme.Account, urls []string) error {
	fetched := make([]*acme.Authorization, len(urls))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, url := range urls {
		group.Go(func() (err error) {
			return fault.Guard(func() error {
				fetched[i], err = account.Authorization(ctx, url)
				return err
			})
		})
	}
	err := group.Wait()
	for _, authorization := range fetched {
		if authorization == nil {
			continue // a panic of ours
		}
		v := &validation{authorization: authorization, report: w.report}
		switch authorization.Status {
		case legoacme.StatusPending:
		case "": // it could not be fetched, but is there to be given up
			w.all = append(w.all, v)
			continue
		default:
			v.decided = true
		}
		v.tell(report.Authorization, authorization.Status)
		if authorization.Status != legoacme.StatusValid {
			w.all = append(w.all, v)
		}
	}
	slices.SortFunc(w.all, func(a, b *validation) int { return cmp.Compare(a.name(), b.name()) })
	return err
}

func (w *authorizing) choose(solvers *solvers) error {
	for _, v := range w.all {
		v.offered = v.authorization.Types()
		if v.authorization.Status != legoacme.StatusPending {
			v.fail(fault.New(fault.ChallengeFailed, "the CA calls the authorization %s", v.authorization.Status))
		} else if p, challenge, err := solvers.choose(w.request, v.authorization); err != nil {
			v.fail(err)
		} else {
			v.solver, v.challenge, v.answer = p, challenge, v.authorization.Answer(challenge)
		}
	}
	return w.failure()
}

// validate runs each solver's share of the authorizations beside the others'.
// One that fails does not stop the rest: a valid authorization serves the next
// order too, and the error names every identifier.
func (w *authorizing) validate(ctx context.Context) error {
	shares := map[*prepared][]*validation{}
	for _, v := range w.all {
		shares[v.solver] = append(shares[v.solver], v)
	}
	var running sync.WaitGroup
	for p, share := range shares {
		running.Go(func() {
			guarded(share, func() { w.share(ctx, p, share) })
		})
	}
	running.Wait()
	if err := context.Cause(ctx); err != nil {
		return w.interrupted(err)
	}
	return w.failure()
}

// interrupted names those that the CA has not decided on, and says what the time was
// spent on.
func (w *authorizing) interrupted(end error) error {
	interrupted := fault.Interrupted(end, "")
	var names []string
	last := ""
	for _, v := range w.all {
		if !v.decided {
			interrupted.Identifiers = append(interrupted.Identifiers, v.authorization.Identifier)
			names = append(names, v.name())
			if last == "" && errors.As(v.err, new(*fault.Error)) {
				last = "; " + v.err.Error()
			}
		}
	}
	interrupted.Detail = "not yet validated: " + strings.Join(names, ", ") + last
	return interrupted
}

func (w *authorizing) share(ctx context.Context, p *prepared, share []*validation) {
	if err := p.ready(); err != nil {
		for _, v := range share {
			v.fail(err)
		}
		return
	}
	if s, ok := p.solver.(sequencer); ok {
		if sequential, _ := s.Sequential(); sequential {
			w.oneByOne(ctx, s, share)
			return
		}
	}
	// Every answer is visible before the first is triggered: a resolver of the
	// CA's may keep the records of a name that it has asked for once.
	if _, listener := p.solver.(watcher); listener {
		// One by one in the order of the names: two orders that wait for each
		// other's names to become free would wait for ever.
		for _, v := range share {
			v.present(ctx)
		}
	} else {
		each(share, func(v *validation) { v.present(ctx) })
	}
	each(share, func(v *validation) { v.waitAndTrigger(ctx) })
}

// oneByOne is the cycle of a provider that keeps a single record.
func (w *authorizing) oneByOne(ctx context.Context, s sequencer, share []*validation) {
	for _, v := range share {
		release, err := s.Turn(ctx)
		if err != nil {
			v.fail(err)
			continue
		}
		v.present(ctx)
		v.waitAndTrigger(ctx)
		if ctx.Err() != nil { // cleaned up with all the others, within one timeout
			release()
			return
		}
		cleaning, stop := w.detached(ctx)
		w.cleanUpOne(cleaning, v)
		stop()
		release()
	}
}

func each(share []*validation, do func(*validation)) {
	var running sync.WaitGroup
	for _, v := range share {
		running.Go(func() {
			guarded([]*validation{v}, func() { do(v) })
		})
	}
	running.Wait()
}

// guarded turns a panic into the failure of the validations that it concerns.
func guarded(share []*validation, run func()) {
	err := fault.Guard(func() error { run(); return nil })
	if err == nil {
		return
	}
	for _, v := range share {
		v.fail(err)
	}
}

// detached is the context of what has to be done after the operation has been
// cancelled, too. Its time began with the cancellation: what was waited for since,
// a Present say, has taken of it. Half of it is left in any case.
func (w *authorizing) detached(ctx context.Context) (context.Context, context.CancelFunc) {
	left := w.request.cleanUp
	if over := w.over.Load(); over != nil {
		left = max(left-time.Since(*over), left/2)
	}
	return context.WithTimeout(context.WithoutCancel(ctx), left)
}

func (w *authorizing) cleanUp(ctx context.Context) {
	each(w.all, func(v *validation) { w.cleanUpOne(ctx, v) })
}

// cleanUpOne keeps what may be left behind for the error of an order that fails.
func (w *authorizing) cleanUpOne(ctx context.Context, v *validation) {
	if err := v.cleanUp(ctx); err != nil {
		w.leftBehind.add(err)
	}
}

// abandon deactivates what a failed order leaves pending (RFC 8555 section
// 7.5.2): pending authorizations count against an account's limits.
func (w *authorizing) abandon(ctx context.Context) {
	each(w.all, func(v *validation) {
		if v.authorization.Status == "" && v.authorization.Refresh(ctx) == nil {
			// It was never fetched. One that is valid serves the next order.
			v.decided = v.authorization.Status != legoacme.StatusPending
		}
		if v.decided {
			return
		}
		if err := v.authorization.Deactivate(ctx); err != nil {
			slog.Warn("an authorization stays pending", "identifier", v.name(), "error", err)
		}
	})
}

// failure makes one error of all the validations that failed, in the order of
// the names. Its cause is the first one's.
func (w *authorizing) failure() error {
	var failed *fault.Error
	for _, v := range w.all {
		if v.err == nil {
			continue
		}
		if failed == nil {
			failed = &fault.Error{Code: fault.CodeOf(v.err, fault.ChallengeFailed), Err: v.err, Detail: v.name() + ": " + v.err.Error()}
		}
		failed.Add(v.err)
		failed.Identifiers = append(failed.Identifiers, v.authorization.Identifier)
		failed.Attempts = append(failed.Attempts, v.attempt())
	}
	if failed == nil {
		return nil
	}
	return failed
}
