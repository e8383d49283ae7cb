// Package issuance takes an order to its certificate: RFC 8555 sections 7.4 and 7.5.
package issuance

import (
	"cmp"
	"context"
	"crypto"
	"crypto/x509"
	"log/slog"
	"sync"
	"time"

	legoacme "github.com/go-acme/lego/v5/acme"
	"github.com/go-acme/lego/v5/certcrypto"
	"golang.org/x/sync/errgroup"

	"pylego/engine/account"
	"pylego/engine/acme"
	"pylego/engine/caller"
	"pylego/engine/fault"
	"pylego/engine/pki"
	"pylego/engine/report"
	"pylego/engine/transport"
)

// ObtainInput is everything that one certificate needs.
type ObtainInput struct {
	account.Access
	Identifiers []string    `json:"identifiers,omitempty"`
	CSR         string      `json:"csr,omitempty"` // PEM; instead of identifiers and key
	Key         Key         `json:"key,omitzero"`
	Challenges  []Challenge `json:"challenges"` // in order of preference

	// What newOrder asks for.
	Profile   string     `json:"profile,omitempty"`
	NotBefore *time.Time `json:"not_before,omitempty"`
	NotAfter  *time.Time `json:"not_after,omitempty"`
	Replaces  string     `json:"replaces,omitempty"` // PEM of the certificate that this one replaces (RFC 9773)

	// What brings an order to its end that a process which is gone has begun.
	Order     string `json:"order,omitempty"`      // URL; a new order is made where that one serves no more
	KeepOrder bool   `json:"keep_order,omitempty"` // ask the caller to keep the order's URL before it is finalized

	// What the certificate request says, where we make it.
	CommonName bool `json:"common_name,omitempty"`
	MustStaple bool `json:"must_staple,omitempty"`

	PreferredChain                 string  `json:"preferred_chain,omitempty"` // the common name of its root
	AlwaysDeactivateAuthorizations bool    `json:"always_deactivate_authorizations,omitempty"`
	CleanUpTimeout                 float64 `json:"cleanup_timeout,omitempty"` // seconds; 0: 10

	replacesIfPossible bool
}

// Key is the certificate's key: given, or made of a type.
type Key struct {
	PEM  string `json:"pem,omitempty"`
	Type string `json:"type,omitempty"` // default EC256
}

// Certificate is what a caller gets. Its key is there if it was made or given here.
type Certificate struct {
	Loaded
	Account  account.Known `json:"account"`
	CSR      string        `json:"csr"`
	Domain   string        `json:"domain"`
	URL      string        `json:"url"`
	OrderURL string        `json:"order_url"`
}

// request is an ObtainInput that has been checked.
type request struct {
	caller         caller.Caller
	applicant      *account.Applicant
	order          acme.OrderRequest
	csr            *x509.CertificateRequest
	key            crypto.Signer // nil for a CSR of the caller's
	made           string        // that key, where it is a new one
	challenges     []Challenge
	preferredChain string
	cleanUp        time.Duration
	begun          string // URL of an order to go on with, until that was tried
	keepOrder      bool

	replacesIfPossible, alwaysDeactivate bool

	leftBehind leftBehind
}

// leftBehind are the errors of clean-ups.
type leftBehind struct {
	mu   sync.Mutex
	errs []error
}

func (l *leftBehind) add(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs = append(l.errs, err)
}

// beside puts them into the error of the order, which is the last that is heard of it.
func (l *leftBehind) beside(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil || len(l.errs) == 0 {
		return err
	}
	leaving := &fault.Leaving{Err: err}
	for _, each := range l.errs {
		leaving.Left = append(leaving.Left, each.Error())
	}
	return leaving
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
	if err := solvers.usable(request); err != nil {
		return nil, err
	}

	var certificate *Certificate
	err = request.applicant.Run(ctx, reporter, func(account *acme.Account) error {
		certificate, err = request.attempts(ctx, account, solvers, reporter)
		return err
	})
	return certificate, request.leftBehind.beside(err)
}

func (in ObtainInput) check() (*request, error) {
	r := &request{
		caller: in.Caller, challenges: in.Challenges, preferredChain: in.PreferredChain, cleanUp: 10 * time.Second,
		order: acme.OrderRequest{Profile: in.Profile, NotBefore: in.NotBefore, NotAfter: in.NotAfter},
		begun: in.Order, keepOrder: in.KeepOrder,
		replacesIfPossible: in.replacesIfPossible, alwaysDeactivate: in.AlwaysDeactivateAuthorizations,
	}
	if in.CleanUpTimeout > 0 {
		r.cleanUp = caller.Seconds(in.CleanUpTimeout)
	}
	var err error
	if r.applicant, err = in.Access.Check(); err != nil {
		return nil, err
	}
	if in.NotBefore != nil && in.NotAfter != nil && !in.NotAfter.After(*in.NotBefore) {
		return nil, fault.New(fault.InvalidArguments, "not_after (%s) is not after not_before (%s)", in.NotAfter.Format(time.RFC3339), in.NotBefore.Format(time.RFC3339))
	}
	if len(in.Challenges) == 0 {
		return nil, fault.New(fault.InvalidArguments, "no challenge is configured: name at least one of http-01, tls-alpn-01 and dns-01")
	}
	if in.CSR != "" {
		if len(in.Identifiers) > 0 {
			return nil, fault.New(fault.InvalidArguments, "a CSR names its own identifiers: give either the CSR or the identifiers")
		}
		if in.Key != (Key{}) || in.CommonName || in.MustStaple {
			return nil, fault.New(fault.InvalidArguments, "a CSR says itself what key, common name and extensions it has: key, key_type, common_name and must_staple are for requests that are made here")
		}
		if r.csr, err = pki.ParseCSR(in.CSR); err != nil {
			return nil, err
		}
		r.order.Identifiers, err = pki.Identifiers(r.csr)
	} else {
		err = r.makeCSR(in)
	}
	if err != nil {
		return nil, err
	}
	if err := r.everyName(); err != nil {
		return nil, err
	}
	if in.Order != "" {
		if in.Key.PEM == "" && in.CSR == "" {
			return nil, fault.New(fault.InvalidArguments, "an order is gone on with by the key that it was begun with: give that, or the CSR")
		}
		if err := transport.CheckURL(in.Order); err != nil {
			return nil, err
		}
	}
	if in.Replaces != "" {
		chain, err := pki.ParseChain(in.Replaces)
		if err != nil {
			return nil, err
		}
		if r.order.Replaces, err = pki.RenewalID(chain[0]); err != nil && !in.replacesIfPossible {
			return nil, err
		}
	}
	return r, nil
}

func (r *request) makeCSR(in ObtainInput) (err error) {
	if len(in.Identifiers) == 0 {
		return fault.New(fault.InvalidArguments, "no identifier: name at least one DNS name or IP address")
	}
	if r.order.Identifiers, err = pki.IdentifiersOf(in.Identifiers); err != nil {
		return err
	}
	if in.Key.PEM != "" {
		r.key, err = pki.ParseKey(in.Key.PEM)
	} else {
		r.key, err = pki.GenerateKey(cmp.Or(in.Key.Type, string(certcrypto.EC256)))
	}
	if err != nil {
		return err
	}
	if in.Key.PEM == "" {
		r.made = pki.EncodeKey(r.key)
	}
	r.csr, err = pki.CreateCSR(r.key, r.order.Identifiers, in.CommonName, in.MustStaple)
	return err
}

// attempts makes an order, and a new one each time that the answers of some
// challenges could not be reached and others are configured for those names.
func (r *request) attempts(ctx context.Context, account *acme.Account, solvers *solvers, reporter report.Reporter) (*Certificate, error) {
	certificate, err := r.fulfil(ctx, account, solvers, reporter)
	last := err
	for rest, next := solvers.after(last); rest != nil; rest, next = rest.after(last) {
		reporter(report.Event{Kind: report.Retrying, Challenge: types(next), Detail: last.Error()})
		certificate, last = r.fulfil(ctx, account, rest, reporter)
		err = both(err, last)
	}
	return certificate, err
}

// fulfil is RFC 8555 section 7.1.6 from top to bottom.
func (r *request) fulfil(ctx context.Context, owner *acme.Account, solvers *solvers, reporter report.Reporter) (*Certificate, error) {
	done, err := owner.InLine(ctx, func(why string, wait time.Duration) {
		reporter(report.Event{Kind: report.Waiting, Detail: why, Wait: wait.Seconds()})
	})
	if err != nil {
		return nil, err
	}
	defer done()
	order, err := r.begin(ctx, owner, reporter)
	if err != nil {
		return nil, err
	}
	if r.alwaysDeactivate {
		defer r.deactivate(ctx, order)
	}

	// An order may come back ready, processing or valid: the CA has reused
	// authorizations, or the order itself (section 7.1.3).
	if order.Status == legoacme.StatusPending {
		finish, err := r.authorize(ctx, owner, order, solvers, reporter)
		defer finish() // clean-up goes on while the CA signs
		if err != nil {
			return nil, err
		}
		order.Status = legoacme.StatusReady
	}
	if order.Status == legoacme.StatusReady {
		if err := r.keep(ctx, order); err != nil {
			return nil, err
		}
		if err := order.Finalize(ctx, r.csr.Raw); err != nil {
			return nil, err
		}
		reporter(report.Event{Kind: report.Finalized, Detail: order.URL})
	}
	if err := untilValid(ctx, order); err != nil {
		return nil, err
	}
	chain, err := r.download(ctx, owner, order)
	if err != nil {
		return nil, err
	}
	certificate, err := r.certificate(owner, order, chain)
	if err != nil {
		return nil, err
	}
	reporter(report.Event{Kind: report.Issued, Detail: chain.URL})
	return certificate, nil
}

// download takes the preferred chain, or the CA's own choice where none is
// preferred or offered (RFC 8555 section 7.4.2).
func (r *request) download(ctx context.Context, owner *acme.Account, order *acme.Order) (*acme.Chain, error) {
	first, alternates, err := order.Certificate(ctx)
	if err != nil || r.preferredChain == "" || r.prefers(first) {
		return first, err
	}
	for _, url := range alternates {
		chain, _, err := owner.Certificate(ctx, url)
		if err != nil {
			return nil, err
		}
		if r.prefers(chain) {
			return chain, nil
		}
	}
	slog.Warn("the CA offers no chain to the preferred root: its own choice is taken", "preferred_chain", r.preferredChain)
	return first, nil
}

// prefers looks at the topmost certificate, as lego does: the root itself is
// seldom part of a chain.
func (r *request) prefers(chain *acme.Chain) bool {
	certificates, err := certcrypto.ParsePEMBundle([]byte(chain.Issuer))
	return err == nil && certificates[len(certificates)-1].Issuer.CommonName == r.preferredChain
}

func (r *request) certificate(owner *acme.Account, order *acme.Order, chain *acme.Chain) (*Certificate, error) {
	leaf, err := certcrypto.ParsePEMCertificate([]byte(chain.Leaf))
	if err != nil {
		return nil, fault.Wrap(fault.CertificateObtainFailed, err, "the CA's certificate cannot be read")
	}
	if !pki.Fits(r.csr.PublicKey, leaf) {
		return nil, fault.New(fault.CertificateObtainFailed, "the CA's certificate (%s) has another key than the certificate request: it is somebody else's", chain.URL)
	}
	domain, err := certcrypto.GetCSRMainDomain(r.csr)
	if err != nil {
		return nil, fault.Wrap(fault.InvalidCSR, err, "the certificate request names nothing")
	}
	certificate := &Certificate{
		Loaded:   Loaded{Description: pki.Describe(leaf), Leaf: chain.Leaf, Chain: chain.Issuer},
		Account:  account.KnownAs(owner),
		CSR:      string(certcrypto.PEMEncode(r.csr)),
		Domain:   domain,
		URL:      chain.URL,
		OrderURL: order.URL,
	}
	certificate.Identifiers = r.order.Identifiers // in the caller's order
	if r.key != nil {
		certificate.PrivateKey = pki.EncodeKey(r.key)
	}
	return certificate, nil
}

// deactivate gives up what the order has proven, so that the next one proves it again.
func (r *request) deactivate(ctx context.Context, order *acme.Order) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), r.cleanUp)
	defer stop()
	if _, err := deactivate(ctx, order); err != nil {
		slog.Warn("an authorization stays valid", "order", order.URL, "error", err)
	}
}

// deactivate gives an order's authorizations up; it tells how many, and the first
// error, which does not keep it from the others.
func deactivate(ctx context.Context, order *acme.Order) (count int, err error) {
	var group errgroup.Group
	group.SetLimit(atOnce)
	all := order.AllAuthorizations()
	for _, authorization := range all {
		group.Go(func() error { return fault.Guard(func() error { return authorization.Deactivate(ctx) }) })
	}
	return len(all), group.Wait()
}
