// The peer acmez, used as its own example uses it, with one client for all accounts.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"sync"

	"github.com/mholt/acmez/v3"
	"github.com/mholt/acmez/v3/acme"

	"pylego/benchmarks/worker"
)

func main() { worker.Serve(open) }

type account struct {
	client  acmez.Client
	account acme.Account
}

// solver shows answers on the worker's responder.
type solver struct{ *worker.Responder }

func (s solver) Present(_ context.Context, challenge acme.Challenge) error {
	s.Responder.Present(challenge.Token, challenge.KeyAuthorization)
	return nil
}

func (s solver) CleanUp(_ context.Context, challenge acme.Challenge) error {
	s.Responder.CleanUp(challenge.Token)
	return nil
}

var clients sync.Map // directory and trust -> *acme.Client

func clientFor(command worker.Command) (*acme.Client, error) {
	key := command.Directory + command.Trust
	if found, ok := clients.Load(key); ok {
		return found.(*acme.Client), nil
	}
	transport, err := worker.Transport(command.Trust)
	if err != nil {
		return nil, err
	}
	found, _ := clients.LoadOrStore(key, &acme.Client{
		Directory: command.Directory, HTTPClient: &http.Client{Transport: transport},
	})
	return found.(*acme.Client), nil
}

func open(ctx context.Context, command worker.Command, responder *worker.Responder) (worker.Account, error) {
	client, err := clientFor(command)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	opened, err := client.NewAccount(ctx, acme.Account{TermsOfServiceAgreed: true, PrivateKey: key})
	return &account{
		client: acmez.Client{
			Client:           client,
			ChallengeSolvers: map[string]acmez.Solver{acme.ChallengeTypeHTTP01: solver{responder}},
		},
		account: opened,
	}, err
}

func (a *account) Obtain(ctx context.Context, names []string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	_, err = a.client.ObtainCertificateForSANs(ctx, a.account, key, names)
	return err
}
