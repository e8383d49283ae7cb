package acme

import (
	"context"
	"crypto"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"

	legoacme "github.com/go-acme/lego/v5/acme"

	"pylego/engine/fault"
	"pylego/engine/transport"
)

// Account is a key that the CA knows under a URL (RFC 8555 section 7.1.2).
type Account struct {
	Server *Server
	URL    string
	Key    crypto.Signer

	KeyChanges int // how often the key was changed, as its owner counts

	thumbprint string
}

// accountSlot lets one caller register a key while the others wait for its URL.
type accountSlot struct {
	lock chan struct{} // a mutex that a context can end waiting for
	url  string
}

// Binding is the external account of RFC 8555 section 7.3.4.
type Binding struct {
	KeyID string
	HMAC  []byte
}

// Registration is what newAccount asks for.
type Registration struct {
	Contact      []string
	TermsAgreed  bool
	Binding      *Binding
	Bind         func(context.Context, *transport.Client) (*Binding, error) // makes a Binding for an account that is new
	OnlyExisting bool                                                       // the account is there, or it is an error (RFC 8555 section 7.3.1)
}

// Account returns the account of a key: under the URL already seen in this process,
// the one that its owner has kept, or newAccount's answer, which for a known key is
// the existing account (section 7.3).
func (s *Server) Account(ctx context.Context, key crypto.Signer, url string, registration Registration) (*Account, error) {
	thumbprint, err := Thumbprint(key)
	if err != nil {
		return nil, err
	}
	slot := s.slot(thumbprint)
	select {
	case slot.lock <- struct{}{}:
		defer func() { <-slot.lock }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if slot.url == "" {
		slot.url = url
	}
	if slot.url == "" {
		if slot.url, err = s.newAccount(ctx, key, registration); err != nil {
			return nil, err
		}
	}
	return &Account{Server: s, URL: slot.url, Key: key, thumbprint: thumbprint}, nil
}

// Forget drops an account URL that the CA no longer knows.
func (s *Server) Forget(ctx context.Context, account *Account) {
	s.remember(ctx, account.thumbprint, account.URL, "")
}

// remember changes what is known of a key, if it is still what it was.
func (s *Server) remember(ctx context.Context, thumbprint, before, url string) {
	slot := s.slot(thumbprint)
	select {
	case slot.lock <- struct{}{}:
		defer func() { <-slot.lock }()
	case <-ctx.Done():
		return
	}
	if slot.url == before {
		slot.url = url
	}
}

func (s *Server) slot(thumbprint string) *accountSlot {
	s.mu.Lock()
	defer s.mu.Unlock()
	slot := s.accounts[thumbprint]
	if slot == nil {
		slot = &accountSlot{lock: make(chan struct{}, 1)}
		s.accounts[thumbprint] = slot
	}
	return slot
}

// newAccount finds the key's account, or makes one if that is allowed and agreed to.
func (s *Server) newAccount(ctx context.Context, key crypto.Signer, registration Registration) (string, error) {
	terms := s.Directory.Meta.TermsOfService
	unasked := terms != "" && !registration.TermsAgreed // nobody has said yes: nothing may be made
	message := legoacme.Account{
		Contact:              registration.Contact,
		TermsOfServiceAgreed: registration.TermsAgreed,
		OnlyReturnExisting:   registration.OnlyExisting || unasked || registration.Bind != nil,
	}
	url, err := s.sendNewAccount(ctx, key, message, registration.Binding)
	switch {
	case !Gone(err) || registration.OnlyExisting:
		return url, err
	case unasked:
		return "", fault.New(fault.TermsNotAccepted, "%s has terms of service, %s: read them and say that you accept them (accept_terms=True, --accept-tos)", s.URL, terms)
	case registration.Bind == nil:
		return url, err
	}
	binding, err := registration.Bind(ctx, s.client)
	if err != nil {
		return "", err
	}
	message.OnlyReturnExisting = false
	return s.sendNewAccount(ctx, key, message, binding)
}

func (s *Server) sendNewAccount(ctx context.Context, key crypto.Signer, message legoacme.Account, binding *Binding) (string, error) {
	url := s.Directory.NewAccountURL
	if binding != nil {
		bound, err := bind(key, binding.KeyID, binding.HMAC, url)
		if err != nil {
			return "", err
		}
		message.ExternalAccountBinding = bound
	}
	payload, err := json.Marshal(message)
	if err != nil {
		return "", fmt.Errorf("cannot encode newAccount: %w", err)
	}
	response, err := retried(ctx, func() (*transport.Response, error) { return s.post(ctx, key, "", url, payload) })
	if err != nil {
		return "", err
	}
	location := response.Header.Get("Location")
	if location == "" {
		return "", fault.New(fault.AccountRegistrationFailed, "%s registered an account without telling its URL", url)
	}
	return location, nil
}

// KeyAuthorization binds a challenge's token to the account's key (RFC 8555 section 8.1).
func (a *Account) KeyAuthorization(token string) string { return token + "." + a.thumbprint }

// send posts a message of the account's and decodes the object in the answer.
func (a *Account) send(ctx context.Context, url string, message, object any) (*transport.Response, error) {
	if err := transport.CheckURL(url); err != nil {
		return nil, fault.Wrap(fault.CertificateObtainFailed, err, "the CA names a URL that cannot be used")
	}
	payload := []byte{} // POST-as-GET; nil would leave the field out of the JWS
	if message != nil {
		var err error
		if payload, err = json.Marshal(message); err != nil {
			return nil, fmt.Errorf("cannot encode a request: %w", err)
		}
	}
	response, err := retried(ctx, func() (*transport.Response, error) {
		return a.Server.post(ctx, a.Key, a.URL, url, payload)
	})
	if err != nil {
		return nil, err
	}
	if object != nil {
		if err := json.Unmarshal(response.Body, object); err != nil || !hasStatus(object) {
			return nil, fault.New(fault.CertificateObtainFailed, "%s answered HTTP %d with something that is no ACME object", url, response.Status)
		}
	}
	return response, nil
}

// hasStatus tells an ACME object (RFC 8555 sections 7.1.3 and 7.1.4) from other JSON.
func hasStatus(object any) bool {
	switch o := object.(type) {
	case *legoacme.Order:
		return o.Status != ""
	case *legoacme.Authorization:
		return o.Status != ""
	case *legoacme.Account:
		return o.Status != ""
	}
	return true
}

// permanent network errors are not worth a second try: nobody changes a
// certificate within a second.
func permanent(err error) bool {
	var untrusted *tls.CertificateVerificationError
	return errors.As(err, &untrusted)
}

// Gone reports whether the CA has lost the account (RFC 8555 section 6.7).
func Gone(err error) bool { return Is(err, legoacme.AccountDoesNotExistErrorType) }
