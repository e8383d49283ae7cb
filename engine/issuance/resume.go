package issuance

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	legoacme "github.com/go-acme/lego/v5/acme"
	"github.com/go-acme/lego/v5/certcrypto"

	"pylego/engine/acme"
	"pylego/engine/fault"
	"pylego/engine/pki"
	"pylego/engine/question"
	"pylego/engine/report"
	"pylego/engine/transport"
)

// begin is the order that was begun before, where it still serves; otherwise a new one.
func (r *request) begin(ctx context.Context, owner *acme.Account, reporter report.Reporter) (*acme.Order, error) {
	if url := r.begun; url != "" {
		r.begun = "" // another attempt is a new order
		order, why, err := r.resume(ctx, owner, url)
		if err != nil {
			return nil, err
		}
		if why == "" {
			reporter(report.Event{Kind: report.OrderResumed, Detail: order.URL})
			return order, nil
		}
		reporter(report.Event{Kind: report.Retrying, Detail: "with a new order, not " + url + ": " + why})
	}
	// Cancelled meanwhile, the order goes its way as far as to give its authorizations up.
	order, err := r.newOrder(transport.Heard(ctx, r.cleanUp), owner, reporter)
	if err != nil {
		return nil, err
	}
	reporter(report.Event{Kind: report.OrderCreated, Detail: order.URL})
	return order, nil
}

// resume fetches an order, and says why it does not serve if it does not.
func (r *request) resume(ctx context.Context, owner *acme.Account, url string) (order *acme.Order, why string, err error) {
	order, err = owner.Order(ctx, url)
	if gone(err) {
		return nil, err.Error(), nil
	}
	if err != nil {
		return nil, "", err
	}
	switch {
	case !slices.Equal(sorted(order.Identifiers), sorted(r.order.Identifiers)):
		return nil, "it is for other names", nil
	case r.order.Profile != "" && order.Profile != r.order.Profile:
		return nil, "it is for another profile", nil
	}
	switch order.Status {
	case legoacme.StatusPending, legoacme.StatusReady, legoacme.StatusProcessing:
		return order, "", nil
	case legoacme.StatusValid:
		why, err = r.misfit(ctx, order)
		return order, why, err
	default: // invalid, or what some CAs call one whose authorizations are over
		return nil, "it is " + order.Status, nil
	}
}

// gone finds the answers of a CA that has no such order, or not for this account.
// Let's Encrypt forgets one as soon as it expires.
func gone(err error) bool {
	var problem *acme.Problem
	return errors.As(err, &problem) && slices.Contains(
		[]int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusGone}, problem.HTTPStatus)
}

// misfit says why the certificate of an order that is done is of no use: it may
// have been finalized for a key that nobody has any more.
func (r *request) misfit(ctx context.Context, order *acme.Order) (string, error) {
	chain, _, err := order.Certificate(ctx)
	if gone(err) {
		return err.Error(), nil
	}
	if err != nil {
		return "", err
	}
	leaf, err := certcrypto.ParsePEMCertificate([]byte(chain.Leaf))
	if err != nil || !pki.Fits(r.csr.PublicKey, leaf) {
		return "its certificate has another key", nil
	}
	if leaf.NotAfter.Before(time.Now()) {
		return "its certificate has expired", nil
	}
	return "", nil
}

func sorted(identifiers []legoacme.Identifier) []legoacme.Identifier {
	return slices.SortedFunc(slices.Values(identifiers), func(a, b legoacme.Identifier) int {
		return strings.Compare(a.Type+":"+a.Value, b.Type+":"+b.Value)
	})
}

// keptOrder is what has to be known to go on with an order: also the key, where it was made here.
type keptOrder struct {
	Order string `json:"order"`
	Key   string `json:"key"`
}

// keep lets the caller write the order down before the CA is asked to issue: should
// everything end then, the certificate is not lost. What was begun must have ended:
// a cancelled call waits for it.
func (r *request) keep(ctx context.Context, order *acme.Order) error {
	if !r.keepOrder {
		return nil
	}
	refusal, err := question.Do(ctx, r.cleanUp, "order", keptOrder{Order: order.URL, Key: r.made})
	if end := context.Cause(ctx); end != nil {
		return fault.Interrupted(end, "the order %s was not finalized yet", order.URL)
	}
	if err == nil && refusal != "" {
		return fault.New(fault.OrderNotKept, "the order could not be kept, and is not finalized: %s", refusal)
	}
	return err
}
