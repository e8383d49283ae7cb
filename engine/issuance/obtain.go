// Package issuance takes an order to its certificate: RFC 8555 sections 7.4 and 7.5.
package issuance

import (
	"context"
	"crypto"
	"crypto/x509"
	"time"

	legoacme "github.com/go-acme/lego/v5/acme"
	"github.com/go-acme/lego/v5/certcrypto"

	"pylego/engine/account"
	"pylego/engine/acme"
	"pylego/engine/caller"
	"pylego/engine/fault"
	"pylego/engine/pki"
	"pylego/engine/report"
)

// ObtainInput is everything that one certificate needs.
type ObtainInput struct {
	Caller      caller.Caller  `json:"caller"`
	Server      account.Server `json:"server"`
	Account     account.Input  `json:"account"`
	Identifiers []string       `json:"identifiers,omitempty"`
	CSR         string         `json:"csr,omitempty"` // PEM; instead of identifiers and key
	Key         Key            `json:"key,omitzero"`
	Challenges  []Challenge    `json:"challenges"` // in order of preference
	Profile     string         `json:"profile,omitempty"`

	CleanUpTimeout float64 `json:"cleanup_timeout,omitempty"` // seconds; 0: 10
}

// Key is the certificate's key: given, or made of a type.
type Key struct {
	PEM  string `json:"pem,omitempty"`
	Type string `json:"type,omitempty"` // default EC256
}

// Certificate is what a caller gets. Keys are there if they were made here.
type Certificate struct {
	Certificate string                `json:"certificate"` // PEM: leaf and chain
	Issuer      string                `json:"issuer_certificate"`
	PrivateKey  string                `json:"private_key,omitempty"`
	AccountKey  string                `json:"account_key"`
	AccountURL  string                `json:"account_url"`
	CSR         string                `json:"csr"`
	Identifiers []legoacme.Identifier `json:"identifiers"`
	Domain      string                `json:"domain"`
	URL         string                `json:"url"`
	NotBefore   time.Time             `json:"not_before"`
	NotAfter    time.Time             `json:"not_after"`
	Serial      string                `json:"serial"`
	IssuedBy    string                `json:"issued_by"`
}

// request is an ObtainInput that has been checked.
type request struct {
	caller      caller.Caller
	server      account.Server
	applicant   *account.Applicant
	identifiers []legoacme.Identifier
	csr         *x509.CertificateRequest
	key         crypto.Signer // nil for a CSR of the caller's
	profile     string
	challenges  []Challenge
	cleanUp     time.Duration
}

// Obtain checks everything it was given, then talks to the CA.
func Obtain(ctx context.Context, in ObtainInput, reporter report.Reporter) (*Certificate, error) {
	request, err := in.check()
	if err != nil {
		return nil, err
	}
	solvers, err := prepare(ctx, request, reporter) // ports and hosts, while the CA is asked
	if err != nil {
		return nil, err
	}
	defer solvers.release()

	server, done, err := request.server.Connect(ctx)
	if err != nil {
		return nil, err
	}
	defer done()

	var certificate *Certificate
	err = request.applicant.Again(ctx, server, reporter, func(account *acme.Account) error {
		certificate, err = request.attempts(ctx, account, solvers, reporter)
		return err
	})
	return certificate, err
}

func (in ObtainInput) check() (*request, error) {
	r := &request{
		caller: in.Caller, server: in.Server.Or(in.Caller.Transport()),
		profile: in.Profile, challenges: in.Challenges, cleanUp: 10 * time.Second,
	}
	if in.CleanUpTimeout > 0 {
		r.cleanUp = caller.Seconds(in.CleanUpTimeout)
	}
	if _, err := in.Server.URL(); err != nil {
		return nil, err
	}
	if len(in.Challenges) == 0 {
		return nil, fault.New(fault.InvalidArguments, "no challenge is configured: name at least one of http-01, tls-alpn-01 and dns-01")
	}
	var err error
	if r.applicant, err = in.Account.Check(); err != nil {
		return nil, err
	}
	if in.CSR != "" {
		if len(in.Identifiers) > 0 {
			return nil, fault.New(fault.InvalidArguments, "a CSR names its own identifiers: give either the CSR or the identifiers")
		}
		if r.csr, err = pki.ParseCSR(in.CSR); err != nil {
			return nil, err
		}
		r.identifiers, err = pki.Identifiers(r.csr)
		return r, err
	}
	return r, r.makeCSR(in)
}

func (r *request) makeCSR(in ObtainInput) (err error) {
	if len(in.Identifiers) == 0 {
		return fault.New(fault.InvalidArguments, "no identifier: name at least one DNS name or IP address")
	}
	if r.identifiers, err = pki.IdentifiersOf(in.Identifiers); err != nil {
		return err
	}
	if in.Key.PEM != "" {
		r.key, err = pki.ParseKey(in.Key.PEM)
	} else if in.Key.Type == "" {
		r.key, err = pki.GenerateKey(string(certcrypto.EC256))
	} else {
		r.key, err = pki.GenerateKey(in.Key.Type)
	}
	if err != nil {
		return err
	}
	r.csr, err = pki.CreateCSR(r.key, r.identifiers)
	return err
}

// attempts makes an order, and once more a new one where the answers of one
// challenge type could not be reached and another type is configured.
func (r *request) attempts(ctx context.Context, account *acme.Account, solvers *solvers, reporter report.Reporter) (*Certificate, error) {
	certificate, err := r.order(ctx, account, solvers, reporter)
	next := solvers.after(err)
	if next == nil {
		return certificate, err
	}
	reporter(report.Event{Kind: report.Retrying, Challenge: next.types(), Detail: err.Error()})
	certificate, second := r.order(ctx, account, next, reporter)
	return certificate, both(err, second)
}

// order is RFC 8555 section 7.1.6 from top to bottom.
func (r *request) order(ctx context.Context, account *acme.Account, solvers *solvers, reporter report.Reporter) (*Certificate, error) {
	order, err := account.NewOrder(ctx, acme.OrderRequest{Identifiers: r.identifiers, Profile: r.profile})
	if err != nil {
		return nil, err
	}
	reporter(report.Event{Kind: report.OrderCreated, Detail: order.URL})

	// An order may come back ready, processing or valid: the CA has reused
	// authorizations, or the order itself (section 7.1.3).
	if order.Status == legoacme.StatusPending {
		finish, err := r.authorize(ctx, account, order, solvers, reporter)
		defer finish() // clean-up goes on while the CA signs
		if err != nil {
			return nil, err
		}
		order.Status = legoacme.StatusReady
	}
	if order.Status == legoacme.StatusReady {
		if err := order.Finalize(ctx, r.csr.Raw); err != nil {
			return nil, err
		}
		reporter(report.Event{Kind: report.Finalized, Detail: order.URL})
	}
	if err := untilValid(ctx, order); err != nil {
		return nil, err
	}
	chain, _, err := order.Certificate(ctx)
	if err != nil {
		return nil, err
	}
	reporter(report.Event{Kind: report.Issued, Detail: chain.URL})
	return r.certificate(account, chain)
}

func (r *request) certificate(account *acme.Account, chain *acme.Chain) (*Certificate, error) {
	leaf, err := certcrypto.ParsePEMCertificate([]byte(chain.Leaf))
	if err != nil {
		return nil, fault.Wrap(fault.CertificateObtainFailed, err, "the CA's certificate cannot be read")
	}
	domain, err := certcrypto.GetCSRMainDomain(r.csr)
	if err != nil {
		return nil, fault.Wrap(fault.InvalidCSR, err, "the certificate request names nothing")
	}
	certificate := &Certificate{
		Certificate: chain.Leaf + chain.Issuer,
		Issuer:      chain.Issuer,
		AccountKey:  pki.EncodeKey(account.Key),
		AccountURL:  account.URL,
		CSR:         string(certcrypto.PEMEncode(r.csr)),
		Identifiers: r.identifiers,
		Domain:      domain,
		URL:         chain.URL,
		NotBefore:   leaf.NotBefore,
		NotAfter:    leaf.NotAfter,
		Serial:      leaf.SerialNumber.Text(16),
		IssuedBy:    leaf.Issuer.String(),
	}
	if r.key != nil {
		certificate.PrivateKey = pki.EncodeKey(r.key)
	}
	return certificate, nil
}
