package issuance

import (
	"context"
	"time"

	legoacme "github.com/go-acme/lego/v5/acme"

	"pylego/engine/acme"
	"pylego/engine/fault"
	"pylego/engine/system"
)

const (
	// politeInterval is the least time between two polls of a CA that is far away.
	politeInterval  = 20 * time.Millisecond
	longestInterval = 5 * time.Second
	// patience ends the waiting for a CA that never decides, where the caller set no deadline.
	patience = 5 * time.Minute
)

// pollInterval is the wait before the next look at an object, a quarter of the
// time already spent on it: so whatever the CA's own time is, at most a quarter
// is added. A CA that answers within milliseconds may be asked again as quickly:
// it is never busy with us for more than a third of the time.
func pollInterval(spent, roundTrip, retryAfter time.Duration) time.Duration {
	least := max(roundTrip, min(2*roundTrip, politeInterval))
	return max(min(max(spent/4, least), longestInterval), retryAfter)
}

// untilValid polls an order that the CA is making a certificate for.
func untilValid(ctx context.Context, order *acme.Order) error {
	began := time.Now()
	for look := 0; ; look++ {
		switch order.Status {
		case legoacme.StatusValid:
			return nil
		case legoacme.StatusInvalid:
			return orderFailed(order)
		case legoacme.StatusProcessing, legoacme.StatusReady:
		default:
			return fault.New(fault.CertificateObtainFailed, "the CA put the order %s back to %q", order.URL, order.Status)
		}
		spent := time.Since(began)
		if spent > patience || order.RetryAfter > patience {
			return fault.New(fault.CertificateObtainFailed, "the CA keeps the order %s %s: it was waited for %s, and is to be asked again in %s", order.URL, order.Status, spent.Round(time.Second), order.RetryAfter)
		}
		wait := pollInterval(spent, order.RoundTrip, order.RetryAfter)
		if look == 0 && order.RoundTrip > politeInterval {
			wait = order.RetryAfter // the way there and back is a wait of its own
		}
		if err := system.Sleep(ctx, wait); err != nil {
			return fault.Interrupted(err, "the CA keeps the order %s %s", order.URL, order.Status)
		}
		if err := order.Refresh(ctx); err != nil {
			return err
		}
	}
}

func orderFailed(order *acme.Order) error {
	if order.Error != nil {
		problem := &acme.Problem{ProblemDetails: *order.Error}
		return fault.Wrap(fault.CertificateObtainFailed, problem, "the CA refused to issue")
	}
	return fault.New(fault.CertificateObtainFailed, "the CA calls the order %s invalid and does not say why", order.URL)
}
