package account

import (
	"context"
	"crypto"
	"errors"
	"sync"

	legoacme "github.com/go-acme/lego/v5/acme"

	"pylego/engine/acme"
	"pylego/engine/caller"
	"pylego/engine/fault"
	"pylego/engine/pki"
	"pylego/engine/report"
)

// Result is that of every operation that is about the account itself.
type Result struct {
	Account Known `json:"account"`
}

// DirectoryInput asks for a CA's directory.
type DirectoryInput struct {
	Caller caller.Caller `json:"caller"`
	Server Server        `json:"server"`
}

// Directory is what a CA says of itself (RFC 8555 section 7.1.1).
type Directory struct {
	URL                     string            `json:"url"`
	TermsOfService          string            `json:"terms_of_service"`
	Website                 string            `json:"website"`
	CAAIdentities           []string          `json:"caa_identities"`
	ExternalAccountRequired bool              `json:"external_account_required"`
	Profiles                map[string]string `json:"profiles"` // names and descriptions
	RenewalInfo             bool              `json:"renewal_info"`
	ClockAhead              *float64          `json:"clock_ahead"` // seconds; none: the CA told no time
}

// ReadDirectory is the operation directory.
func ReadDirectory(ctx context.Context, in DirectoryInput, _ report.Reporter) (*Directory, error) {
	if err := in.Server.Check(); err != nil {
		return nil, err
	}
	server, done, err := in.Server.Or(in.Caller.Transport()).Connect(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	var ahead *float64
	if server.Ahead != nil {
		seconds := server.Ahead.Seconds()
		ahead = &seconds
	}
	meta := server.Directory.Meta
	return &Directory{
		URL:                     server.URL,
		TermsOfService:          meta.TermsOfService,
		Website:                 meta.Website,
		CAAIdentities:           meta.CaaIdentities,
		ExternalAccountRequired: meta.ExternalAccountRequired,
		Profiles:                meta.Profiles,
		RenewalInfo:             server.Directory.RenewalInfo != "",
		ClockAhead:              ahead,
	}, nil
}

// Register is the operation register: newAccount, which finds the account of a
// key that has one (RFC 8555 section 7.3.1).
func Register(ctx context.Context, in Access, reporter report.Reporter) (*Result, error) {
	return in.look(ctx, reporter, (*acme.Account).Object)
}

// Recover is the operation recover: the account of a key, which must have one.
func Recover(ctx context.Context, in Access, reporter report.Reporter) (*Result, error) {
	if in.Account.Key == "" {
		return nil, fault.New(fault.InvalidArguments, "an account is recovered by its key, and none was given")
	}
	in.Account.URL = "" // the CA shall tell
	in.onlyExisting = true
	return in.look(ctx, reporter, (*acme.Account).Object)
}

// UpdateInput is about the contacts of an account.
type UpdateInput struct {
	Access
	NewEmail string `json:"new_email"` // none: no contact
}

// Update is the operation update_account.
func Update(ctx context.Context, in UpdateInput, reporter report.Reporter) (*Result, error) {
	contact := []string{}
	if in.NewEmail != "" {
		contact = append(contact, "mailto:"+in.NewEmail)
	}
	return in.look(ctx, reporter, func(account *acme.Account, ctx context.Context) (legoacme.Account, error) {
		return account.Update(ctx, contact)
	})
}

// Deactivate is the operation deactivate_account.
func Deactivate(ctx context.Context, in Access, reporter report.Reporter) (*Result, error) {
	in.onlyExisting = true // not made in order to be ended
	return in.look(ctx, reporter, (*acme.Account).Deactivate)
}

// look opens the account and tells what the CA then says of it.
func (a Access) look(ctx context.Context, reporter report.Reporter, how func(*acme.Account, context.Context) (legoacme.Account, error)) (*Result, error) {
	applicant, err := a.Check()
	if err != nil {
		return nil, err
	}
	var result Result
	err = applicant.Run(ctx, reporter, func(account *acme.Account) error {
		object, err := how(account, ctx)
		result.Account = KnownAs(account)
		result.Account.Status, result.Account.Contact = object.Status, object.Contact
		return err
	})
	return &result, err
}

// RolloverInput asks for another key.
type RolloverInput struct {
	Access
	NewKey  string `json:"new_key,omitempty"` // PEM
	KeyType string `json:"key_type,omitempty"`
}

// Rollover is the operation rollover: the account alone, and its key changed
// (RFC 8555 section 7.3.5).
func Rollover(ctx context.Context, in RolloverInput, reporter report.Reporter) (*Result, error) {
	in.onlyExisting = true
	applicant, err := in.Check()
	if err != nil {
		return nil, err
	}
	name, err := applicant.tenancyName()
	if err != nil {
		return nil, err
	}
	name += " " + in.KeyType
	key, err := in.newKey(name)
	if err != nil {
		return nil, err
	}
	var result Result
	err = applicant.run(ctx, everybody, reporter, func(account *acme.Account) error {
		changed, err := account.ChangeKey(ctx, key)
		if err == nil {
			applicant.tenancy.successor = key
			result.Account = KnownAs(changed)
		}
		return err
	})
	if err != nil && in.NewKey == "" {
		begun.Store(name, key)
	}
	var doubt *fault.Leaving
	if errors.As(err, &doubt) {
		doubt.Left = append(doubt.Left, in.whatNow())
	}
	return &result, err
}

// begun are the keys that were made for rollovers that have failed, by the account's
// tenancy and the key's type. The CA may have one, and nobody else has it.
var begun sync.Map

func (in RolloverInput) newKey(name string) (crypto.Signer, error) {
	if in.NewKey != "" {
		return pki.ParseKey(in.NewKey)
	}
	if key, found := begun.LoadAndDelete(name); found {
		return key.(crypto.Signer), nil
	}
	return pki.GenerateKey(in.KeyType)
}

// whatNow says what to do where nobody knows which key the account has.
func (in RolloverInput) whatNow() string {
	if in.NewKey != "" {
		return "keep both, and call again with the same"
	}
	return "only this process has it: call again, with the same type of key, while it runs; next time give a new_key that is kept"
}
