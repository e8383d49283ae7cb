package issuance

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"pylego/engine/acme"
	"pylego/engine/report"
	"pylego/engine/testca"
)

func TestCancellationAtEachEventCleansUp(t *testing.T) {
	for _, kind := range []report.Kind{
		report.AccountReady, report.OrderCreated, report.Authorization, report.Presented,
		report.Triggered, report.Validated, report.Finalized, report.Issued,
	} {
		for _, challenge := range []func(*testca.Server) Challenge{http01, tlsALPN01} {
			ca := startCA(t, testca.Config{})
			in := inputFor(t, ca, names(5, "gone.example")...)
			in.Challenges = []Challenge{challenge(ca)}
			told := keepLedger(t, ca, &in)
			ctx, cancel := context.WithCancel(t.Context())
			seen := &events{on: func(event report.Event) {
				if event.Kind == kind {
					cancel()
				}
			}}
			_, err := Obtain(ctx, in, seen.report)
			if !errors.Is(err, context.Canceled) && (kind != report.Issued || err != nil) {
				t.Errorf("%s: %v", kind, err)
			}
			wantNothingLeft(t, ca, told, seen)
			if t.Failed() {
				t.Fatalf("at %s by %s: %v", kind, in.Challenges[0].Type, seen.kinds())
			}
		}
	}
}

// wantNothingLeft checks all that an order may leave behind.
func wantNothingLeft(t *testing.T, ca *testca.Server, told *ledger, seen *events) {
	t.Helper()
	if !portIsFree(ca.Info().HTTPPort) || !portIsFree(ca.Info().TLSPort) {
		t.Error("a port is still bound")
	}
	if presented, cleaned := seen.count(report.Presented), seen.count(report.CleanedUp); presented != cleaned {
		t.Errorf("%d presented, %d cleaned up", presented, cleaned)
	}
	if pending := told.pending(); len(pending) > 0 {
		t.Errorf("authorizations stay pending: %v", pending)
	}
	acme.CloseIdle()
	if left := leftRunning(); left != "" {
		t.Error(left)
	}
}

func TestCancellationWhileTheCAThinksCleansUp(t *testing.T) {
	ca := startCA(t, testca.Config{ValidationSleep: 2})
	ctx, cancel := context.WithCancel(t.Context())
	in := inputFor(t, ca, "a.example")
	told := keepLedger(t, ca, &in)
	seen := &events{on: func(event report.Event) {
		if event.Kind == report.Triggered {
			cancel()
		}
	}}
	if _, err := Obtain(ctx, in, seen.report); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	wantNothingLeft(t, ca, told, seen)
}

func TestADeadlineCleansUp(t *testing.T) {
	ca := startCA(t, testca.Config{ValidationSleep: 3600})
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	in := inputFor(t, ca, "a.example")
	told := keepLedger(t, ca, &in)
	seen := &events{}
	if _, err := Obtain(ctx, in, seen.report); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	wantNothingLeft(t, ca, told, seen)
}

func TestAFailedOrderLeavesNothingPending(t *testing.T) {
	ca := startCA(t, testca.Config{})
	in := inputFor(t, ca, "a.example", "b.example", "c.example")
	in.Challenges[0].Host = "192.0.2.1" // no address of this machine's: nothing can be presented
	told, seen := keepLedger(t, ca, &in), &events{}
	if _, err := Obtain(t.Context(), in, seen.report); err == nil {
		t.Error("obtained")
	}
	wantNothingLeft(t, ca, told, seen)
}

func TestAuthorizationsThatCouldNotBeFetchedAreGivenUpToo(t *testing.T) {
	ca := startCA(t, testca.Config{})
	in := inputFor(t, ca, names(6, "gone.example")...)
	setFaults(t, ca, testca.Faults{Status: 403, StatusCount: 1, Path: "authorization"})
	told, seen := keepLedger(t, ca, &in), &events{}
	if _, err := Obtain(t.Context(), in, seen.report); err == nil {
		t.Error("obtained")
	}
	wantNothingLeft(t, ca, told, seen)
}

// stuck is a solver whose clean-up ends with its context only.
type stuck struct {
	sequential bool
	presented  func()
}

func (stuck) Type() string                                     { return "http-01" }
func (stuck) Prepare(context.Context) error                    { return nil }
func (stuck) Wait(context.Context, acme.Answer) error          { return nil }
func (stuck) Release()                                         {}
func (s stuck) Sequential() (bool, time.Duration)              { return s.sequential, 0 }
func (stuck) Turn(context.Context) (release func(), err error) { return func() {}, nil }
func (s stuck) Present(context.Context, acme.Answer) error     { s.presented(); return nil }
func (stuck) CleanUp(ctx context.Context, _ acme.Answer) error { <-ctx.Done(); return ctx.Err() }

func TestCleanUpIsBoundedByItsTimeout(t *testing.T) {
	for _, sequential := range []bool{false, true} {
		ca := startCA(t, testca.Config{})
		in := inputFor(t, ca, names(4, "stuck.example")...)
		in.CleanUpTimeout = 3
		r, err := in.check()
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var cancelled time.Time
		var once sync.Once
		solver := stuck{sequential, func() {
			once.Do(func() {
				setFaults(t, ca, testca.Faults{DelayMS: 60_000}) // the CA hangs, too
				cancelled = time.Now()
				cancel()
			})
		}}
		solvers := &solvers{list: []*prepared{{solver: solver, ready: func() error { return nil }}}}
		err = r.applicant.Run(ctx, report.Discard, func(account *acme.Account) error {
			_, err := r.attempts(ctx, account, solvers, report.Discard)
			return err
		})
		if took := time.Since(cancelled); !errors.Is(err, context.Canceled) || took < 2900*time.Millisecond || took > 5900*time.Millisecond {
			t.Errorf("sequential %t: %v after %v", sequential, err, took)
		}
	}
}

// late presents for a while after its call is over, as a provider's API may.
type late struct {
	stuck
	until func(deadline time.Time)
}

func (l late) Present(context.Context, acme.Answer) error {
	l.presented()
	time.Sleep(time.Second)
	return nil
}

func (l late) CleanUp(ctx context.Context, _ acme.Answer) error {
	deadline, _ := ctx.Deadline()
	l.until(deadline)
	return nil
}

func TestTheTimeForTheCleanUpBeginsWithTheEndOfTheCall(t *testing.T) {
	ca := startCA(t, testca.Config{})
	in := inputFor(t, ca, "late.example")
	in.CleanUpTimeout = 4
	r, err := in.check()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var over time.Time
	var allowed time.Duration
	solver := late{
		stuck{presented: func() { over = time.Now(); cancel() }},
		func(deadline time.Time) { allowed = deadline.Sub(over) },
	}
	solvers := &solvers{list: []*prepared{{solver: solver, ready: func() error { return nil }}}}
	err = r.applicant.Run(ctx, report.Discard, func(account *acme.Account) error {
		_, err := r.attempts(ctx, account, solvers, report.Discard)
		return err
	})
	if !errors.Is(err, context.Canceled) || allowed < 3*time.Second || allowed > 4500*time.Millisecond {
		t.Error(err, allowed)
	}
}
