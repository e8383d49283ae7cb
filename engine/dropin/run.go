package dropin

import (
	"context"
	"errors"
	"strings"

	"pylego/engine/acme"
	"pylego/engine/fault"
	"pylego/engine/issuance"
	"pylego/engine/providerhost"
	"pylego/engine/report"
)

// Data is the answer of 0.1, with the account's key beside it.
type Data struct {
	CSR               string   `json:"csr"`
	PrivateKey        string   `json:"private_key"`
	Certificate       string   `json:"certificate"`
	IssuerCertificate string   `json:"issuer_certificate"`
	Metadata          Metadata `json:"metadata"`
	AccountKey        string   `json:"account_key"`
}

// Metadata is about the certificate at the CA.
type Metadata struct {
	StableURL string `json:"stable_url"`
	URL       string `json:"url"`
	Domain    string `json:"domain"`
}

// Run is the operation run_lego_command.
func Run(ctx context.Context, in Input, reporter report.Reporter) (*Data, error) {
	input, err := in.obtain()
	if err != nil {
		return nil, err
	}
	certificate, err := issuance.Obtain(ctx, *input, reporter)
	if err != nil {
		return nil, inOldWords(err)
	}
	return &Data{
		CSR:               certificate.CSR,
		PrivateKey:        certificate.PrivateKey, // "" always: the key stays with the CSR's maker
		Certificate:       certificate.Leaf + certificate.Chain,
		IssuerCertificate: certificate.Chain,
		AccountKey:        certificate.Account.Key,
		Metadata:          Metadata{StableURL: certificate.URL, URL: certificate.URL, Domain: certificate.Domain},
	}, nil
}

// inOldWords gives failures the codes that 0.1 used: the network's wins, then
// everything after the account is the order's, also what a DNS provider says then.
func inOldWords(err error) error {
	var leaving *fault.Leaving
	if errors.As(err, &leaving) {
		return &fault.Leaving{Err: inOldWords(leaving.Err), Left: leaving.Left}
	}
	var known *fault.Error
	if _, refused := acme.Refusal(err); refused || !errors.As(err, &known) {
		return err
	}
	old := *known
	switch known.Code {
	case fault.UnknownProvider, fault.MissingCredentials:
		old.Code = fault.DNSProviderFailed
		old.Detail = strings.Replace(old.Detail, providerhost.HowToGive, "set them in env, or in the environment", 1)
	case fault.ChallengeFailed, fault.PropagationTimeout:
		old.Code = fault.CertificateObtainFailed
	case fault.DNSProviderFailed:
		if len(known.Attempts) > 0 { // not at its making
			old.Code = fault.CertificateObtainFailed
		}
	case fault.CertificateObtainFailed:
	default:
		return err
	}
	if fault.ByNetwork(err) {
		old.Code = fault.NetworkError
	}
	return &old
}
