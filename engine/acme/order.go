package acme

import (
	"context"
	"encoding/base64"
	"time"

	legoacme "github.com/go-acme/lego/v5/acme"

	"pylego/engine/fault"
	"pylego/engine/transport"
)

// Order is the object of RFC 8555 section 7.1.3 as the CA last told it.
type Order struct {
	legoacme.Order
	URL        string
	RetryAfter time.Duration // of the last answer
	RoundTrip  time.Duration

	account *Account
}

// OrderRequest is newOrder's payload (RFC 8555 section 7.4; profiles draft section
// 4; RFC 9773 section 5).
type OrderRequest struct {
	Identifiers []legoacme.Identifier `json:"identifiers"`
	Profile     string                `json:"profile,omitempty"`
	NotBefore   *time.Time            `json:"notBefore,omitempty"`
	NotAfter    *time.Time            `json:"notAfter,omitempty"`
	Replaces    string                `json:"replaces,omitempty"`
}

// InLine waits until the CA's limits let another order in. waiting is told why,
// and how long where that is known. Call done when the order has ended.
func (a *Account) InLine(ctx context.Context, waiting func(why string, wait time.Duration)) (done func(), err error) {
	return a.Server.client.Order(ctx, a.Server.Directory.NewOrderURL, waiting)
}

// NewOrder asks for a certificate.
func (a *Account) NewOrder(ctx context.Context, request OrderRequest) (*Order, error) {
	order := &Order{account: a}
	response, err := a.send(ctx, a.Server.Directory.NewOrderURL, request, &order.Order)
	if err != nil {
		return nil, err
	}
	if order.URL = response.Header.Get("Location"); order.URL == "" {
		return nil, fault.New(fault.CertificateObtainFailed, "the CA made an order without telling its URL")
	}
	order.seen(response)
	return order, nil
}

// Order fetches one of the account's orders.
func (a *Account) Order(ctx context.Context, url string) (*Order, error) {
	order := &Order{URL: url, account: a}
	return order, order.Refresh(ctx)
}

func (o *Order) seen(response *transport.Response) {
	o.RetryAfter, o.RoundTrip = response.RetryAfter(), response.RoundTrip
}

// Refresh fetches the order as it is now.
func (o *Order) Refresh(ctx context.Context) error {
	var now legoacme.Order
	response, err := o.account.send(ctx, o.URL, nil, &now)
	if err != nil {
		return err
	}
	o.Order = now
	o.seen(response)
	return nil
}

// AllAuthorizations are the order's, as far as they can be told without asking.
func (o *Order) AllAuthorizations() []*Authorization {
	all := make([]*Authorization, len(o.Authorizations))
	for i, url := range o.Authorizations {
		all[i] = &Authorization{URL: url, account: o.account}
	}
	return all
}

// Finalize sends the certificate request (RFC 8555 section 7.4).
func (o *Order) Finalize(ctx context.Context, csr []byte) error {
	message := legoacme.CSRMessage{Csr: base64.RawURLEncoding.EncodeToString(csr)}
	var now legoacme.Order
	response, err := o.account.send(ctx, o.Order.Finalize, message, &now)
	if Is(err, legoacme.OrderNotReadyErrorType) {
		// A finalize whose answer was lost has worked: the order tells, be it that
		// the CA then refused. One that is still pending was truly not ready.
		if refreshErr := o.Refresh(ctx); refreshErr == nil && o.Status != legoacme.StatusPending && o.Status != legoacme.StatusReady {
			return nil
		}
	}
	if err != nil {
		return err
	}
	o.Order = now
	o.seen(response)
	return nil
}
