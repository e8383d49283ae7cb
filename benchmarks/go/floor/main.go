// The floor: what a bare loop on lego's own ACME types can do. It takes no part
// of pylego's, has no checks, events, limits or clean-up of accounts, and is what
// pylego's time is divided by.
package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-acme/lego/v5/acme"
	"github.com/go-acme/lego/v5/acme/api"
	"golang.org/x/sync/errgroup"

	"pylego/benchmarks/worker"
)

const (
	workers     = 32
	leastPoll   = 2 * time.Millisecond
	longestPoll = 5 * time.Second
)

func main() { worker.Serve(open) }

// account is an api.Core of its own: lego keeps an account's key and URL there.
type account struct {
	core    *api.Core
	session *session
	answers answers
}

func open(ctx context.Context, command worker.Command, responder *worker.Responder) (worker.Account, error) {
	session, err := sessionFor(command.Directory, command.Trust)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	// A client of its own: New wraps the client's transport once more each time.
	core, err := api.New(&http.Client{Transport: session}, "benchmark", command.Directory, "", key)
	if err != nil {
		return nil, err
	}
	_, err = core.Accounts.New(ctx, acme.Account{TermsOfServiceAgreed: true})
	account := &account{core, session, byHTTP{responder}}
	if command.DNS != nil {
		account.answers = byHTTPReq{command.DNS.Variables[0]["HTTPREQ_ENDPOINT"]}
	}
	return account, err
}

// Obtain is RFC 8555 section 7.4 and nothing else.
func (a *account) Obtain(ctx context.Context, names []string) (err error) {
	var cleaning errgroup.Group // while the CA goes on
	defer func() { err = errors.Join(err, cleaning.Wait()) }()
	key, csr, err := newRequest(names)
	if err != nil {
		return err
	}
	order, err := a.core.Orders.New(ctx, names, nil)
	if err != nil {
		return err
	}
	group, each := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for _, url := range order.Authorizations {
		group.Go(func() error { return a.authorize(each, url, cleaning.Go) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	now, err := a.core.Orders.UpdateForCSR(ctx, order.Finalize, csr)
	if err != nil {
		return err
	}
	err = a.poll(ctx, func() (bool, error) {
		if now.Status == acme.StatusValid {
			return true, nil // as soon as finalize's own answer
		}
		now, err = a.core.Orders.Get(ctx, order.Location)
		return now.Status == acme.StatusValid, stopped(now.Status, err)
	})
	if err != nil {
		return err
	}
	chain, err := a.core.Certificates.Get(ctx, now.Certificate, true)
	if err != nil {
		return err
	}
	return check(chain.Cert, key)
}

func (a *account) authorize(ctx context.Context, url string, later func(func() error)) error {
	authorization, err := a.core.Authorizations.Get(ctx, url)
	if err != nil {
		return err
	}
	for _, challenge := range authorization.Challenges {
		if challenge.Type != a.answers.challenge() {
			continue
		}
		name, token := authorization.Identifier.Value, challenge.Token
		answer, err := a.core.GetKeyAuthorization(token)
		if err != nil {
			return err
		}
		if err := a.answers.present(ctx, name, token, answer); err != nil {
			return err
		}
		defer later(func() error { return a.answers.cleanUp(context.WithoutCancel(ctx), name, token, answer) })
		if _, err := a.core.Challenges.New(ctx, challenge.URL); err != nil {
			return err
		}
		return a.poll(ctx, func() (bool, error) {
			now, err := a.core.Authorizations.Get(ctx, url)
			return now.Status == acme.StatusValid, stopped(now.Status, err)
		})
	}
	return fmt.Errorf("%s offers no %s", url, a.answers.challenge())
}

// poll asks at once, then waits a quarter of the time already spent.
func (a *account) poll(ctx context.Context, done func() (bool, error)) error {
	for began := time.Now(); ; {
		if ok, err := done(); ok || err != nil {
			return err
		}
		wait := min(max(time.Since(began)/4, leastPoll, a.session.roundTrip()), longestPoll)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func stopped(status string, err error) error {
	if err == nil && (status == acme.StatusInvalid || status == acme.StatusDeactivated) {
		return errors.New("the CA calls it " + status)
	}
	return err
}

func newRequest(names []string) (crypto.Signer, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: names}, key)
	return key, csr, err
}

// check reads the certificate, so that the floor ends where a user's call does.
func check(chain []byte, key crypto.Signer) error {
	block, _ := pem.Decode(chain)
	if block == nil {
		return errors.New("no PEM certificate")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return err
	}
	if !key.Public().(*ecdsa.PublicKey).Equal(leaf.PublicKey) {
		return errors.New("a certificate of another key")
	}
	return nil
}
