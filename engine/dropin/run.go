package dropin

import (
	"context"
	"errors"

	"pylego/engine/acme"
	"pylego/engine/fault"
	"pylego/engine/issuance"
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
		Certificate:       certificate.Certificate,
		IssuerCertificate: certificate.Issuer,
		AccountKey:        certificate.AccountKey,
		Metadata:          Metadata{StableURL: certificate.URL, URL: certificate.URL, Domain: certificate.Domain},
	}, nil
}

// inOldWords gives failures that 0.1 had no code for the code that it used.
func inOldWords(err error) error {
	var known *fault.Error
	if _, refused := acme.Refusal(err); refused || !errors.As(err, &known) {
		return err
	}
	switch known.Code {
	case fault.ChallengeFailed, fault.PropagationTimeout:
		old := *known
		old.Code = fault.CertificateObtainFailed
		return &old
	}
	return err
}
