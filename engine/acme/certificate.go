package acme

import (
	"bytes"
	"context"
	"encoding/pem"
	"net/http"

	"github.com/peterhellberg/link"

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
	block, rest := pem.Decode(response.Body)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, nil, fault.New(fault.CertificateObtainFailed, "%s answered with no PEM certificate", url)
	}
	chain := &Chain{URL: url, Leaf: string(pem.EncodeToMemory(block))}
	count := 1
	for block, rest = pem.Decode(rest); block != nil; block, rest = pem.Decode(rest) {
		chain.Issuer += string(pem.EncodeToMemory(block))
		count++
	}
	// What is no whole block pem.Decode leaves out without a word, and no browser
	// would trust the rest.
	if bytes.Count(response.Body, []byte("-----BEGIN ")) != count {
		return nil, nil, fault.New(fault.CertificateObtainFailed, "%s answered with a chain of which a part is missing", url)
	}
	return chain, alternates(response.Header), nil
}

func alternates(header http.Header) []string {
	var urls []string
	for _, value := range header.Values("Link") {
		for _, l := range link.Parse(value) {
			if l.Rel == "alternate" {
				urls = append(urls, l.URI)
			}
		}
	}
	return urls
}
