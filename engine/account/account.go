// Package account opens accounts: from a key and contact details to an account
// that the CA knows (RFC 8555 section 7.3).
package account

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/go-acme/lego/v5/lego"
	"github.com/go-acme/lego/v5/registration/zerossl"

	"pylego/engine/acme"
	"pylego/engine/caller"
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

// Directories are the URLs of the CAs that lego has a code for.
func Directories() map[string]string {
	all := map[string]string{}
	for _, code := range lego.GetAllCodes() {
		all[code], _ = lego.GetDirectoryURL(code)
	}
	return all
}

// Check finds what the call itself has set and cannot be used, before any network.
func (s Server) Check() error {
	if _, err := s.URL(); err != nil {
		return err
	}
	return s.Config.Check()
}

// Connect returns the CA's session; done gives it back.
func (s Server) Connect(ctx context.Context) (*acme.Server, func(), error) {
	url, err := s.URL()
	if err != nil {
		return nil, nil, err
	}
	return acme.Connect(ctx, url, s.Config)
}

// Access is what every operation on an account begins with: who calls, which CA,
// and whose account there.
type Access struct {
	Caller  caller.Caller `json:"caller"`
	Server  Server        `json:"server"`
	Account Input         `json:"account"`

	onlyExisting bool // an account that the CA does not know is an error
}

// Input describes an account as a caller knows it.
type Input struct {
	Key         string   `json:"key,omitempty"`         // PEM
	KeyChanges  int      `json:"key_changes,omitempty"` // how often the caller has seen the key change
	URL         string   `json:"url,omitempty"`         // where the CA keeps it, if that is known
	Directory   string   `json:"directory,omitempty"`   // of the CA that keeps it, if that is known
	Seed        string   `json:"seed,omitempty"`        // random; a key is made of it where none is given
	Email       string   `json:"email,omitempty"`
	TermsAgreed bool     `json:"terms_agreed,omitempty"`
	EAB         *Binding `json:"eab,omitempty"`
}

// Binding is an external account as the CA's console shows it.
type Binding struct {
	KeyID string `json:"key_id"`
	HMAC  string `json:"hmac"` // base64url, padded or not
}

// Known is an account that the CA knows, as its owner should keep it. What the CA
// says of it is there if it was asked.
type Known struct {
	Directory  string   `json:"directory"`
	URL        string   `json:"url"`
	Key        string   `json:"key"`         // PEM
	KeyChanges int      `json:"key_changes"` // of results that are read in any order, that with the most has the key
	Status     string   `json:"status,omitempty"`
	Contact    []string `json:"contact,omitzero"`
}

// Applicant is an Access that has been checked: everything newAccount needs.
type Applicant struct {
	Key          crypto.Signer
	changes      int // of the key
	tenancy      *tenancy
	url          string
	server       Server
	registration acme.Registration
}

// Check reads what was given, before any network.
func (a Access) Check() (*Applicant, error) {
	if err := a.Server.Check(); err != nil {
		return nil, err
	}
	if url, err := a.Server.URL(); err == nil && a.Account.Directory != "" && a.Account.Directory != url {
		return nil, fault.New(fault.InvalidArguments, "the account is one at %s, not at %s: each CA has its own", a.Account.Directory, url)
	}
	applicant := &Applicant{
		changes:      a.Account.KeyChanges,
		url:          a.Account.URL,
		server:       a.Server.Or(a.Caller.Transport()),
		registration: acme.Registration{TermsAgreed: a.Account.TermsAgreed, OnlyExisting: a.onlyExisting},
	}
	var err error
	if applicant.Key, err = a.Account.key(); err != nil {
		return nil, err
	}
	if a.Account.Email != "" {
		applicant.registration.Contact = []string{"mailto:" + a.Account.Email}
	}
	if a.Account.EAB == nil && zerossl.IsZeroSSL(a.Server.Directory) {
		applicant.registration.Bind = zeroSSL{
			api: zeroSSLAPI, email: a.Account.Email, accessKey: a.Caller.Environment.Get(zerossl.EnvZeroSSLAccessKey),
		}.bind
	}
	applicant.registration.Binding, err = a.Account.EAB.check()
	return applicant, err
}

func (in Input) key() (crypto.Signer, error) {
	switch {
	case in.Key != "":
		return pki.ParseKey(in.Key)
	case in.Seed != "":
		return pki.KeyFromSeed(in.Seed)
	}
	return pki.GenerateKey("EC256")
}

func (b *Binding) check() (*acme.Binding, error) {
	if b == nil {
		return nil, nil
	}
	hmac, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(b.HMAC, "="))
	if err != nil || len(hmac) == 0 {
		return nil, fault.New(fault.AccountRegistrationFailed, "the external account's HMAC key is not base64url")
	}
	if len(hmac) < sha256.Size { // RFC 7518 section 3.2
		return nil, fault.New(fault.AccountRegistrationFailed, "the external account's HMAC key is too short: HS256 takes at least %d bytes", sha256.Size)
	}
	return &acme.Binding{KeyID: b.KeyID, HMAC: hmac}, nil
}

// Run connects to the CA, opens the account and runs an operation of it; once
// more, with the account registered anew, where the CA has lost it.
func (a *Applicant) Run(ctx context.Context, reporter report.Reporter, operation func(*acme.Account) error) error {
	return a.run(ctx, 1, reporter, operation)
}

func (a *Applicant) run(ctx context.Context, weight int64, reporter report.Reporter, operation func(*acme.Account) error) error {
	leave, err := a.enter(ctx, weight, reporter)
	if err != nil {
		return err
	}
	defer leave()
	server, done, err := a.server.Connect(ctx)
	if err != nil {
		return err
	}
	defer done()
	account, err := a.open(ctx, server, a.url)
	if err != nil {
		return err
	}
	reporter(report.Event{Kind: report.AccountReady, Detail: account.URL})
	err = operation(account)
	if !acme.Gone(err) || a.registration.OnlyExisting {
		return err
	}
	server.Forget(ctx, account)
	if account, err = a.open(ctx, server, ""); err != nil {
		return err
	}
	reporter(report.Event{Kind: report.AccountRenewed, Detail: account.URL})
	return operation(account)
}

func (a *Applicant) open(ctx context.Context, server *acme.Server, url string) (*acme.Account, error) {
	account, err := server.Account(ctx, a.Key, url, a.registration)
	var known *fault.Error
	if err == nil {
		account.KeyChanges = a.changes
		return account, nil
	}
	if _, refused := acme.Refusal(err); ctx.Err() != nil || refused || errors.As(err, &known) {
		return nil, err
	}
	return nil, fault.Wrap(fault.AccountRegistrationFailed, err, "cannot register the account")
}

// KnownAs is the account as a result tells it.
func KnownAs(account *acme.Account) Known {
	return Known{Directory: account.Server.URL, URL: account.URL, Key: pki.EncodeKey(account.Key), KeyChanges: account.KeyChanges}
}
