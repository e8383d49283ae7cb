package issuance

import (
	"context"
	"net/http"
	"time"

	legoacme "github.com/go-acme/lego/v5/acme"

	"pylego/engine/account"
	"pylego/engine/acme"
	"pylego/engine/caller"
	"pylego/engine/pki"
	"pylego/engine/report"
)

// RenewInput is an order like the one that brought a certificate.
type RenewInput struct {
	ObtainInput
	Certificate string `json:"certificate"` // PEM; its names and key type are taken where none are given
}

// Renew is the operation renew.
func Renew(ctx context.Context, in RenewInput, reporter report.Reporter) (*Certificate, error) {
	chain, err := pki.ParseChain(in.Certificate)
	if err != nil {
		return nil, err
	}
	if in.CSR == "" {
		for _, identifier := range pki.Describe(chain[0]).Identifiers {
			in.Identifiers = append(in.Identifiers, identifier.Value)
		}
		if in.Key == (Key{}) {
			in.Key.Type = pki.KeyType(chain[0])
		}
	}
	in.Replaces, in.replacesIfPossible = in.Certificate, true
	return Obtain(ctx, in.ObtainInput, reporter)
}

// newOrder asks for the order. A CA without renewal information is not told which
// certificate it replaces (RFC 9773 section 5). A renewal is asked for once more
// without that, where the CA will not hear of it.
func (r *request) newOrder(ctx context.Context, owner *acme.Account, reporter report.Reporter) (*acme.Order, error) {
	if owner.Server.Directory.RenewalInfo == "" {
		r.order.Replaces = ""
	}
	order, err := owner.NewOrder(ctx, r.order)
	if r.order.Replaces == "" || !r.replacesIfPossible || !notReplaceable(err) {
		return order, err
	}
	reporter(report.Event{Kind: report.Retrying, Detail: "without telling which certificate it replaces: " + err.Error()})
	r.order.Replaces = ""
	return owner.NewOrder(ctx, r.order)
}

// notReplaceable finds the answers that concern the certificate to replace: it has
// been replaced, is unknown, or another account's (which Pebble calls unauthorized).
func notReplaceable(err error) bool {
	problem, refused := acme.Refusal(err)
	return refused && (problem.HTTPStatus == http.StatusConflict ||
		acme.Is(err, legoacme.AlreadyReplacedErrorType, legoacme.MalformedErrorType, legoacme.UnauthorizedErrorType))
}

// RenewalInfoInput asks about one certificate.
type RenewalInfoInput struct {
	Caller      caller.Caller  `json:"caller"`
	Server      account.Server `json:"server"`
	Certificate string         `json:"certificate"` // PEM
}

// RenewalInfo is a CA's advice (RFC 9773 section 4.2).
type RenewalInfo struct {
	Start          time.Time `json:"start"`
	End            time.Time `json:"end"`
	ExplanationURL string    `json:"explanation_url"`
	RetryAfter     float64   `json:"retry_after"` // seconds from now
}

// ReadRenewalInfo is the operation renewal_info.
func ReadRenewalInfo(ctx context.Context, in RenewalInfoInput, _ report.Reporter) (*RenewalInfo, error) {
	chain, err := pki.ParseChain(in.Certificate)
	if err != nil {
		return nil, err
	}
	id, err := pki.RenewalID(chain[0])
	if err != nil {
		return nil, err
	}
	server, done, err := in.Server.Or(in.Caller.Transport()).Connect(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	info, again, err := server.RenewalInfo(ctx, id)
	if err != nil {
		return nil, err
	}
	return &RenewalInfo{
		Start: info.SuggestedWindow.Start, End: info.SuggestedWindow.End,
		ExplanationURL: info.ExplanationURL, RetryAfter: again.Seconds(),
	}, nil
}
