package acme

import (
	"context"
	"net/http"
	"strings"
	"time"

	legoacme "github.com/go-acme/lego/v5/acme"

	"pylego/engine/transport"
)

// Authorization is the object of RFC 8555 section 7.1.4 as the CA last told it.
type Authorization struct {
	legoacme.Authorization
	URL        string
	RetryAfter time.Duration
	RoundTrip  time.Duration

	account *Account
}

// Authorization fetches one of an order's authorizations.
func (a *Account) Authorization(ctx context.Context, url string) (*Authorization, error) {
	authorization := &Authorization{URL: url, account: a}
	return authorization, authorization.Refresh(ctx)
}

// Refresh fetches the authorization as it is now.
func (z *Authorization) Refresh(ctx context.Context) error {
	var now legoacme.Authorization
	response, err := z.account.send(ctx, z.URL, nil, &now)
	if err != nil {
		return err
	}
	z.Authorization = now
	z.seen(response)
	return nil
}

func (z *Authorization) seen(response *transport.Response) {
	z.RetryAfter, z.RoundTrip = response.RetryAfter(), response.RoundTrip
}

// Challenge finds the authorization's challenge of one type.
func (z *Authorization) Challenge(kind string) *legoacme.Challenge {
	for i := range z.Challenges {
		if z.Challenges[i].Type == kind {
			return &z.Challenges[i]
		}
	}
	return nil
}

// Types are those of the challenges that the CA offers.
func (z *Authorization) Types() []string {
	types := make([]string, len(z.Challenges))
	for i, challenge := range z.Challenges {
		types[i] = challenge.Type
	}
	return types
}

// Answer is what has to be made visible for a challenge.
func (z *Authorization) Answer(challenge *legoacme.Challenge) Answer {
	return Answer{
		Identifier:       z.Identifier,
		Wildcard:         z.Wildcard,
		Token:            challenge.Token,
		KeyAuthorization: z.account.KeyAuthorization(challenge.Token),
		AccountURL:       z.account.URL,
		Issuers:          strings.Join(challenge.IssuerDomainNames, " "),
	}
}

// Trigger tells the CA that the challenge can be validated (RFC 8555 section 7.5.1).
func (z *Authorization) Trigger(ctx context.Context, challenge *legoacme.Challenge) error {
	response, err := z.account.send(ctx, challenge.URL, struct{}{}, nil)
	if Is(err, legoacme.MalformedErrorType) {
		// A trigger whose answer was lost has worked, and the CA refuses a second
		// one for a challenge that is no longer pending: the authorization tells.
		// One that is pending was truly malformed.
		if refreshErr := z.Refresh(ctx); refreshErr == nil && !z.waitsFor(challenge.URL) {
			return nil
		}
	}
	if err != nil {
		return err
	}
	z.seen(response)
	return nil
}

// waitsFor reports whether a challenge can still be triggered.
func (z *Authorization) waitsFor(challengeURL string) bool {
	for _, challenge := range z.Challenges {
		if challenge.URL == challengeURL {
			return z.Status == legoacme.StatusPending && challenge.Status == legoacme.StatusPending
		}
	}
	return false
}

// Deactivate gives a pending authorization up (RFC 8555 section 7.5.2), so that
// it does not count against the account's limits.
func (z *Authorization) Deactivate(ctx context.Context) error {
	_, err := z.account.send(ctx, z.URL, map[string]string{"status": legoacme.StatusDeactivated}, nil)
	if problem, refused := Refusal(err); refused && problem.HTTPStatus < http.StatusInternalServerError {
		// Only a pending or valid one can be given up (section 7.1.6): what is over is no failure.
		if z.Refresh(ctx) == nil && z.Status != legoacme.StatusPending && z.Status != legoacme.StatusValid {
			return nil
		}
	}
	return err
}
