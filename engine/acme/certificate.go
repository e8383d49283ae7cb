package acme

import (
	"bytes"
	"context"
	"encoding/pem"
	"strings"

	"pylego/engine/fault"
)

// Chain is a certificate as the CA delivers it (RFC 8555 section 7.4.2).
type Chain struct {
	URL    string
	Leaf   string // PEM
	Issuer string // PEM of every certificate after the leaf
}

// Certificate downloads the order's certificate, and the URLs of other chains
// that the CA offers for it.
func (o *Order) Certificate(ctx context.Context) (*Chain, []string, error) {
	return o.account.Certificate(ctx, o.Order.Certificate)
}

// Certificate downloads one chain.
func (a *Account) Certificate(ctx context.Context, url string) (*Chain, []string, error) {
	if url == "" {
		return nil, nil, fault.New(fault.CertificateObtainFailed, "the CA calls the order valid but tells no certificate URL")
	}
	response, err := a.send(ctx, url, nil, nil)
	if err != nil {
		return nil, nil, err
	}
	chain, err := readChain(url, response.Body)
	if err != nil {
		return nil, nil, err
	}
	return chain, alternates(response.Header), nil
}

// readChain takes certificates and nothing else (RFC 8555 section 9.1): what it
// returns goes into files that other programs read.
func readChain(url string, body []byte) (*Chain, error) {
	var leaf, issuer strings.Builder
	count := 0
	for block, rest := pem.Decode(body); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" || len(block.Headers) > 0 {
			return nil, fault.New(fault.CertificateObtainFailed, "%s answered with a chain that holds something else than PEM certificates", url)
		}
		to := &issuer
		if leaf.Len() == 0 {
			to = &leaf
		}
		to.Write(pem.EncodeToMemory(block))
		count++
	}
	if leaf.Len() == 0 {
		return nil, fault.New(fault.CertificateObtainFailed, "%s answered with no PEM certificate", url)
	}
	// What is no whole block pem.Decode leaves out without a word, and no browser
	// would trust the rest.
	if bytes.Count(body, []byte("-----BEGIN ")) != count {
		return nil, fault.New(fault.CertificateObtainFailed, "%s answered with a chain of which a part is missing", url)
	}
	return &Chain{URL: url, Leaf: leaf.String(), Issuer: issuer.String()}, nil
}
