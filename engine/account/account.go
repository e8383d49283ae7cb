// Package account opens accounts: from a key and contact details to an account
// that the CA knows (RFC 8555 section 7.3).
package account

import (
	"context"
	"crypto"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/go-acme/lego/v5/lego"

	"pylego/engine/acme"
	"pylego/engine/fault"
	"pylego/engine/pki"
	"pylego/engine/report"
	"pylego/engine/transport"
)

// Server names a CA and says how it is reached.
type Server struct {
	Directory string `json:"directory"` // a URL, or one of lego's short codes
	transport.Config
}

// Or takes each setting that the call leaves open from the caller's environment.
func (s Server) Or(environment transport.Config) Server {
	if s.Trust.IsZero() {
		s.Trust = environment.Trust
	}
	if s.Proxy == (transport.Proxy{}) {
		s.Proxy = environment.Proxy
	}
	return s
}

// URL is the directory's URL.
func (s Server) URL() (string, error) {
	if strings.Contains(s.Directory, "://") {
		return s.Directory, transport.CheckURL(s.Directory)
	}
	url, err := lego.GetDirectoryURL(s.Directory)
	if err != nil {
		return "", fault.New(fault.InvalidArguments, "%q is neither a URL nor one of lego's codes: %s", s.Directory, strings.Join(lego.GetAllCodes(), ", "))
	}
	return url, nil
}

// Connect returns the CA's session; done gives it back.
func (s Server) Connect(ctx context.Context) (*acme.Server, func(), error) {
	url, err := s.URL()
	if err != nil {
		return nil, nil, err
	}
	return acme.Connect(ctx, url, s.Config)
}

// Input describes an account as a caller knows it.
type Input struct {
	Key         string   `json:"key,omitempty"` // PEM; empty: a new P-256 key
	Email       string   `json:"email,omitempty"`
	TermsAgreed bool     `json:"terms_agreed,omitempty"`
	EAB         *Binding `json:"eab,omitempty"`
}

// Binding is an external account as the CA's console shows it.
type Binding struct {
	KeyID string `json:"key_id"`
	HMAC  string `json:"hmac"` // base64url, padded or not
}

// Applicant is an Input that has been checked: everything newAccount needs.
type Applicant struct {
	Key          crypto.Signer
	registration acme.Registration
}

// Check reads the key and the binding, before any network.
func (in Input) Check() (*Applicant, error) {
	applicant := &Applicant{registration: acme.Registration{TermsAgreed: in.TermsAgreed}}
	var err error
	if in.Key == "" {
		applicant.Key, err = pki.GenerateKey("EC256")
	} else {
		applicant.Key, err = pki.ParseKey(in.Key)
	}
	if err != nil {
		return nil, err
	}
	if in.Email != "" {
		applicant.registration.Contact = []string{"mailto:" + in.Email}
	}
	if in.EAB != nil {
		hmac, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(in.EAB.HMAC, "="))
		if err != nil || len(hmac) == 0 {
			return nil, fault.New(fault.AccountRegistrationFailed, "the external account's HMAC key is not base64url")
		}
		applicant.registration.Binding = &acme.Binding{KeyID: in.EAB.KeyID, HMAC: hmac}
	}
	return applicant, nil
}

// Open returns the applicant's account on a server.
func (a *Applicant) Open(ctx context.Context, server *acme.Server) (*acme.Account, error) {
	account, err := server.Account(ctx, a.Key, a.registration)
	var known *fault.Error
	if _, refused := acme.Refusal(err); err == nil || ctx.Err() != nil || refused || errors.As(err, &known) {
		return account, err
	}
	return nil, fault.Wrap(fault.AccountRegistrationFailed, err, "cannot register the account")
}

// Again runs an operation of the account's, and once more with the account
// registered anew where the CA has lost it.
func (a *Applicant) Again(ctx context.Context, server *acme.Server, reporter report.Reporter, operation func(*acme.Account) error) error {
	account, err := a.Open(ctx, server)
	if err != nil {
		return err
	}
	reporter(report.Event{Kind: report.AccountReady, Detail: account.URL})
	err = operation(account)
	if !acme.Gone(err) {
		return err
	}
	server.Forget(ctx, account)
	if account, err = a.Open(ctx, server); err != nil {
		return err
	}
	reporter(report.Event{Kind: report.AccountRenewed, Detail: account.URL})
	return operation(account)
}
