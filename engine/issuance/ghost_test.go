package issuance

import (
	"context"
	"errors"
	"testing"
	"time"

	"pylego/engine/report"
	"pylego/engine/testca"
)

// The CA makes the order while the caller has already gone.
func TestAnOrderThatIsMadeAfterTheCancellationIsGivenUp(t *testing.T) {
	ca := startCA(t, testca.Config{})
	in := inputFor(t, ca, names(3, "ghost.example")...)
	setFaults(t, ca, testca.Faults{Path: "newOrder", DelayMS: 300})
	ctx, cancel := context.WithCancel(t.Context())
	seen := &events{on: func(event report.Event) {
		if event.Kind == report.AccountReady {
			time.AfterFunc(100*time.Millisecond, cancel) // newOrder is on its way
		}
	}}
	_, err := Obtain(ctx, in, seen.report)
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if left := ca.Authorizations(); left["pending"] > 0 || left["deactivated"] != 3 {
		t.Errorf("%v", left)
	}
}

// A CA that never answers is not waited for longer than the clean-up may take.
func TestAnOrderThatIsNeverMadeIsWaitedForWithinTheCleanUpsTime(t *testing.T) {
	ca := startCA(t, testca.Config{})
	in := inputFor(t, ca, "never.example")
	in.CleanUpTimeout = 0.5
	setFaults(t, ca, testca.Faults{Path: "newOrder", DelayMS: 60_000})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	began := time.Now()
	_, err := Obtain(ctx, in, report.Discard)
	if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took > 10*time.Second {
		t.Errorf("%v after %v", err, took)
	}
}
