package issuance

import (
	"context"
	"errors"
	"log/slog"
	"time"

	legoacme "github.com/go-acme/lego/v5/acme"

	"pylego/engine/acme"
	"pylego/engine/dnssolver"
	"pylego/engine/fault"
	"pylego/engine/report"
	"pylego/engine/system"
)

// validation is one authorization on its way: presented, triggered, decided.
type validation struct {
	authorization *acme.Authorization
	challenge     *legoacme.Challenge
	offered       []string // as it was pending; failed, it tells only what was tried (RFC 8555 section 7.1.4)
	solver        *prepared
	answer        acme.Answer
	report        report.Reporter

	begun     bool // something may have to be cleaned up
	presented bool
	decided   bool // the CA has called it valid or invalid
	err       error
}

func (v *validation) name() string {
	return acme.Answer{Identifier: v.authorization.Identifier, Wildcard: v.authorization.Wildcard}.Name()
}

func (v *validation) tell(kind report.Kind, detail string) {
	v.report(report.Event{Kind: kind, Identifier: v.name(), Challenge: v.kind(), Detail: detail})
}

func (v *validation) kind() string {
	if v.solver == nil {
		return ""
	}
	return v.solver.Type()
}

func (v *validation) fail(err error) {
	v.err = err
	v.tell(report.AttemptFailed, err.Error())
}

func (v *validation) present(ctx context.Context) {
	v.begun = true // a Present that failed may have left something, too
	if err := v.solver.Present(ctx, v.answer); err != nil {
		v.fail(err)
		return
	}
	v.presented = true
	v.tell(report.Presented, "")
}

func (v *validation) waitAndTrigger(ctx context.Context) {
	if v.err != nil {
		return
	}
	if err := v.solver.Wait(ctx, v.answer); err != nil {
		v.fail(err)
		return
	}
	if w, ok := v.solver.solver.(waiter); ok && w.Waits() {
		v.tell(report.Propagated, "")
	}
	if err := system.Sleep(ctx, v.solver.delay); err != nil {
		v.fail(err)
		return
	}
	if err := v.authorization.Trigger(ctx, v.challenge); err != nil {
		v.fail(err)
		return
	}
	v.tell(report.Triggered, "")
	if err := v.untilDecided(ctx); err != nil {
		v.fail(err)
		return
	}
	v.tell(report.Validated, "")
}

// retrigger are the waits before a challenge that failed but stays pending is
// asked for again. step-ca keeps such a challenge until then (RFC 8555 section
// 8.2 allows a server to retry). Two challenge types together take less than 15 s.
var retrigger = []time.Duration{500 * time.Millisecond, 1500 * time.Millisecond, 3 * time.Second}

// untilDecided polls the authorization: at each of the CA's own validation
// requests that we see, and between them as pollInterval says.
func (v *validation) untilDecided(ctx context.Context) error {
	var seen <-chan struct{} // nil, where we do not see them: never ready
	if w, ok := v.solver.solver.(watcher); ok {
		seen = w.Seen(v.answer)
	}
	began, again := time.Now(), 0
	triggered := began
	for polls := 0; ; {
		wait := pollInterval(time.Since(triggered), v.authorization.RoundTrip, v.authorization.RetryAfter)
		timer := time.NewTimer(wait)
		select {
		case <-seen:
			if polls++; polls >= maxSeen {
				seen = nil
			}
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
		timer.Stop()
		if err := v.authorization.Refresh(ctx); err != nil {
			return err
		}
		done, problem := v.state()
		switch {
		case done && problem == nil:
			return nil
		case done || problem != nil && again == len(retrigger):
			return problem
		case problem != nil:
			v.report(report.Event{Kind: report.Retrying, Identifier: v.name(), Challenge: v.kind(), Detail: problem.Error(), Wait: retrigger[again].Seconds()})
			if err := v.triggerAgain(ctx, retrigger[again]); err != nil {
				return err
			}
			again++
			triggered = time.Now()
		case time.Since(began) > patience || v.authorization.RetryAfter > patience:
			return fault.New(fault.ChallengeFailed, "the CA has not decided for %s, and is to be asked again in %s", time.Since(began).Round(time.Second), v.authorization.RetryAfter)
		}
	}
}

// maxSeen bounds the polls that strangers can cause by asking for a token.
const maxSeen = 10

// state reads the CA's decision. A challenge may hold an error and still be
// pending; then it is not yet done.
func (v *validation) state() (done bool, problem error) {
	challenge := v.authorization.Challenge(v.kind())
	if challenge != nil && challenge.Error != nil {
		problem = &acme.Problem{ProblemDetails: *challenge.Error}
	}
	switch v.authorization.Status {
	case legoacme.StatusValid:
		v.decided = true
		return true, nil
	case legoacme.StatusPending, legoacme.StatusProcessing:
		return false, problem
	}
	v.decided = true
	if problem == nil {
		problem = fault.New(fault.ChallengeFailed, "the CA calls the authorization %s and does not say why", v.authorization.Status)
	}
	return true, problem
}

func (v *validation) triggerAgain(ctx context.Context, wait time.Duration) error {
	if err := system.Sleep(ctx, wait); err != nil {
		return err
	}
	return v.authorization.Trigger(ctx, v.challenge)
}

// cleanUp's error is about what may be left behind.
func (v *validation) cleanUp(ctx context.Context) error {
	if !v.begun {
		return nil
	}
	v.begun = false
	err := v.solver.CleanUp(ctx, v.answer)
	switch {
	case errors.Is(err, dnssolver.ErrLeft): // the solver tells when it is gone
		return nil
	case err != nil:
		slog.Warn("clean-up failed", "identifier", v.name(), "challenge", v.kind(), "error", err)
		v.tell(report.CleanUpFailed, err.Error())
	case v.presented:
		v.tell(report.CleanedUp, "")
	}
	return err
}

// attempt is the validation's line in the error.
func (v *validation) attempt() fault.Attempt {
	attempt := fault.Attempt{Identifier: v.authorization.Identifier, Challenge: v.kind(), Detail: v.err.Error(), Code: fault.CodeOf(v.err, fault.ChallengeFailed), Way: -1, Offered: v.offered}
	if v.solver != nil {
		attempt.Way = v.solver.way
	}
	var problem *acme.Problem
	if errors.As(v.err, &problem) {
		attempt.Problem = &problem.ProblemDetails
	}
	return attempt
}
