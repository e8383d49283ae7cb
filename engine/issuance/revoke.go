package issuance

import (
	"context"
	"crypto"

	"pylego/engine/account"
	"pylego/engine/acme"
	"pylego/engine/fault"
	"pylego/engine/pki"
	"pylego/engine/report"
	"pylego/engine/transport"
)

// RevokeInput names a certificate, and whose word it is: the account's, or that of
// the certificate's own key.
type RevokeInput struct {
	account.Access
	Certificate string `json:"certificate"`      // PEM
	Reason      *uint  `json:"reason,omitempty"` // RFC 5280 section 5.3.1
	Key         string `json:"key,omitempty"`    // PEM
}

// Revoked is the result of revoke.
type Revoked struct {
	Account *account.Known `json:"account,omitempty"`
}

// Revoke is the operation revoke (RFC 8555 section 7.6).
func Revoke(ctx context.Context, in RevokeInput, reporter report.Reporter) (*Revoked, error) {
	chain, err := pki.ParseChain(in.Certificate)
	if err != nil {
		return nil, err
	}
	if in.Key != "" {
		key, err := pki.ParseKey(in.Key)
		if err != nil {
			return nil, err
		}
		if !pki.Fits(key.Public(), chain[0]) {
			return nil, fault.New(fault.InvalidPrivateKey, "the key is not the certificate's")
		}
		return &Revoked{}, in.revokeWithKey(ctx, key)
	}
	applicant, err := in.Check()
	if err != nil {
		return nil, err
	}
	var revoked Revoked
	err = applicant.Run(ctx, reporter, func(owner *acme.Account) error {
		known := account.KnownAs(owner)
		revoked.Account = &known
		return owner.Revoke(ctx, chain[0], in.Reason)
	})
	return &revoked, err
}

func (in RevokeInput) revokeWithKey(ctx context.Context, key crypto.Signer) error {
	chain, err := pki.ParseChain(in.Certificate)
	if err != nil {
		return err
	}
	server, done, err := in.Server.Or(in.Caller.Transport()).Connect(ctx)
	if err != nil {
		return err
	}
	defer done()
	return server.RevokeWithKey(ctx, chain[0], key, in.Reason)
}

// DeactivateInput names an order.
type DeactivateInput struct {
	account.Access
	Order string `json:"order"` // URL
}

// Deactivated is the result of deactivate_authorizations.
type Deactivated struct {
	Account account.Known `json:"account"`
	Count   int           `json:"count"`
}

// DeactivateAuthorizations is the operation of that name: the account gives up
// what an order has proven (RFC 8555 section 7.5.2).
func DeactivateAuthorizations(ctx context.Context, in DeactivateInput, reporter report.Reporter) (*Deactivated, error) {
	if err := transport.CheckURL(in.Order); err != nil {
		return nil, err
	}
	applicant, err := in.Check()
	if err != nil {
		return nil, err
	}
	var result Deactivated
	err = applicant.Run(ctx, reporter, func(owner *acme.Account) error {
		result.Account = account.KnownAs(owner)
		order, err := owner.Order(ctx, in.Order)
		if err != nil {
			return err
		}
		result.Count, err = deactivate(ctx, order)
		return err
	})
	return &result, err
}
