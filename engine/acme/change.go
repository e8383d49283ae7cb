package acme

import (
	"context"
	"crypto"
	"encoding/json"
	"fmt"

	legoacme "github.com/go-acme/lego/v5/acme"
	"github.com/go-jose/go-jose/v4"

	"pylego/engine/fault"
)

// Object fetches the account as the CA has it (RFC 8555 section 7.3, last paragraph).
func (a *Account) Object(ctx context.Context) (legoacme.Account, error) {
	var object legoacme.Account
	_, err := a.send(ctx, a.URL, nil, &object)
	return object, err
}

// Update replaces the account's contacts (RFC 8555 section 7.3.2).
func (a *Account) Update(ctx context.Context, contact []string) (legoacme.Account, error) {
	var object legoacme.Account
	// Not legoacme.Account, which leaves an empty list out: that would change nothing.
	_, err := a.send(ctx, a.URL, map[string]any{"contact": contact}, &object)
	return object, err
}

// Deactivate ends the account for good (RFC 8555 section 7.3.6).
func (a *Account) Deactivate(ctx context.Context) (legoacme.Account, error) {
	var object legoacme.Account
	_, err := a.send(ctx, a.URL, legoacme.Account{Status: legoacme.StatusDeactivated}, &object)
	return object, err
}

// ChangeKey gives the account another key (RFC 8555 section 7.3.5) and returns it
// as it is then. Where nobody knows which key it has, the error is a fault.Leaving.
func (a *Account) ChangeKey(ctx context.Context, key crypto.Signer) (*Account, error) {
	url := a.Server.Directory.KeyChangeURL
	if url == "" {
		return nil, fault.New(fault.AccountRegistrationFailed, "%s does not offer keyChange: an account keeps its key there", a.Server.URL)
	}
	thumbprint, err := Thumbprint(key)
	if err != nil {
		return nil, err
	}
	inner, err := a.keyChange(key, url)
	if err != nil {
		return nil, err
	}
	_, refused := a.send(ctx, url, json.RawMessage(inner), nil)
	// Only the account itself tells which key it has: a keyChange whose answer was
	// lost has worked, and Pebble answers 200 where another account has the key.
	changed := &Account{Server: a.Server, URL: a.URL, Key: key, KeyChanges: a.KeyChanges + 1, thumbprint: thumbprint}
	if _, err := changed.Object(ctx); err != nil {
		if refused == nil {
			return nil, &fault.Leaving{Err: err, Left: []string{"the CA took the new key, but does not know the account by it"}}
		}
		// A refusal may be that of the second try, by the old key, after the first has
		// worked: it counts only if the CA does not know the new key.
		if denied(err) {
			return nil, refused
		}
		return nil, &fault.Leaving{Err: refused, Left: []string{"the CA may have the new key all the same"}}
	}
	a.Server.remember(ctx, thumbprint, "", a.URL)
	a.Server.Forget(ctx, a)
	return changed, nil
}

// keyChange is the inner JWS, by which the new key agrees.
func (a *Account) keyChange(key crypto.Signer, url string) ([]byte, error) {
	old := jose.JSONWebKey{Key: a.Key.Public()}
	public, err := old.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("cannot encode the account key: %w", err)
	}
	payload, err := json.Marshal(legoacme.KeyChange{Account: a.URL, OldKey: public})
	if err != nil {
		return nil, fmt.Errorf("cannot encode keyChange: %w", err)
	}
	return sign(key, "", url, "", payload)
}
