package issuance

import (
	"context"

	legoacme "github.com/go-acme/lego/v5/acme"
	"github.com/go-acme/lego/v5/certcrypto"

	"pylego/engine/fault"
	"pylego/engine/pki"
	"pylego/engine/report"
)

// Pair is a certificate and its key, as somebody has kept them.
type Pair struct {
	Certificate string `json:"certificate"`           // PEM: the leaf, and its chain if there is one
	PrivateKey  string `json:"private_key,omitempty"` // PEM
}

// Loaded is a Pair that was read and fits.
type Loaded struct {
	pki.Description
	Leaf       string `json:"leaf"`
	Chain      string `json:"chain"`
	PrivateKey string `json:"private_key,omitempty"`
}

// Load is the operation certificate_load. It sends nothing.
func Load(_ context.Context, in Pair, _ report.Reporter) (*Loaded, error) {
	chain, err := pki.ParseChain(in.Certificate)
	if err != nil {
		return nil, err
	}
	loaded := &Loaded{
		Description: pki.Describe(chain[0]),
		Leaf:        pki.EncodeChain(chain[:1]),
		Chain:       pki.EncodeChain(chain[1:]),
	}
	if in.PrivateKey != "" {
		key, err := pki.ParseKey(in.PrivateKey)
		if err != nil {
			return nil, err
		}
		if !pki.Fits(key.Public(), chain[0]) {
			return nil, fault.New(fault.InvalidPrivateKey, "the key is not the certificate's")
		}
		loaded.PrivateKey = in.PrivateKey
	}
	return loaded, nil
}

// Texts are certificates as somebody has kept them, PEM. Of each the first one counts.
type Texts struct {
	Certificates []string `json:"certificates"`
}

// Described are they in the same order; what cannot be read is null.
type Described struct {
	Certificates []*pki.Description `json:"certificates"`
}

// Describe is the operation describe_certificates, for thousands of them at once.
func Describe(ctx context.Context, in Texts, _ report.Reporter) (*Described, error) {
	described := &Described{make([]*pki.Description, len(in.Certificates))}
	for i, text := range in.Certificates {
		if err := ctx.Err(); err != nil {
			return nil, fault.Interrupted(err, "reading certificates")
		}
		if chain, err := pki.ParseChain(text); err == nil {
			description := pki.Describe(chain[0])
			described.Certificates[i] = &description
		}
	}
	return described, nil
}

// RequestInput is a certificate request.
type RequestInput struct {
	CSR string `json:"csr"` // PEM
}

// LoadedRequest is what a certificate request asks for.
type LoadedRequest struct {
	Domain      string                `json:"domain"` // lego's name for the certificate
	Identifiers []legoacme.Identifier `json:"identifiers"`
}

// LoadRequest is the operation csr_load. It sends nothing.
func LoadRequest(_ context.Context, in RequestInput, _ report.Reporter) (*LoadedRequest, error) {
	csr, err := pki.ParseCSR(in.CSR)
	if err != nil {
		return nil, err
	}
	identifiers, err := pki.Identifiers(csr)
	if err != nil {
		return nil, err
	}
	domain, err := certcrypto.GetCSRMainDomain(csr)
	if err != nil {
		return nil, fault.Wrap(fault.InvalidCSR, err, "the certificate request names nothing")
	}
	return &LoadedRequest{domain, identifiers}, nil
}

// GenerateKeyInput asks for a key.
type GenerateKeyInput struct {
	Type string `json:"type"` // one of lego's
}

// GeneratedKey is a new private key: a secret.
type GeneratedKey struct {
	Key string `json:"key"` // PEM
}

// GenerateKey is the operation generate_key, for those who keep a key before a
// certificate is asked for. It sends nothing.
func GenerateKey(_ context.Context, in GenerateKeyInput, _ report.Reporter) (*GeneratedKey, error) {
	key, err := pki.GenerateKey(in.Type)
	if err != nil {
		return nil, err
	}
	return &GeneratedKey{pki.EncodeKey(key)}, nil
}

// CheckKeyInput has a key that another program has kept.
type CheckKeyInput struct {
	PrivateKey string `json:"private_key"` // PEM
}

// CheckKey is the operation check_key: whether a private key can be used. It sends nothing.
func CheckKey(_ context.Context, in CheckKeyInput, _ report.Reporter) (struct{}, error) {
	_, err := pki.ParseKey(in.PrivateKey)
	return struct{}{}, err
}

// PackInput asks for a PKCS#12 file.
type PackInput struct {
	Pair
	Password string `json:"password"`
	Format   string `json:"format"`
}

// Packed is a PKCS#12 file; JSON carries it in base64.
type Packed struct {
	Content []byte `json:"content"`
}

// Pack is the operation pkcs12 (RFC 7292). It sends nothing.
func Pack(_ context.Context, in PackInput, _ report.Reporter) (*Packed, error) {
	chain, err := pki.ParseChain(in.Certificate)
	if err != nil {
		return nil, err
	}
	key, err := pki.ParseKey(in.PrivateKey)
	if err != nil {
		return nil, err
	}
	content, err := pki.PKCS12(key, chain, in.Password, in.Format)
	return &Packed{content}, err
}
