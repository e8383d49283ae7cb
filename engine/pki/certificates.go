package pki

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"net"
	"time"

	legoacme "github.com/go-acme/lego/v5/acme"
	"github.com/go-acme/lego/v5/acme/api"
	"github.com/go-acme/lego/v5/certcrypto"

	"pylego/engine/fault"
)

// Description is what a certificate says of itself.
type Description struct {
	Identifiers []legoacme.Identifier `json:"identifiers"`
	NotBefore   time.Time             `json:"not_before"`
	NotAfter    time.Time             `json:"not_after"`
	Serial      string                `json:"serial"`      // hexadecimal
	Fingerprint string                `json:"fingerprint"` // SHA-256, hexadecimal
	IssuedBy    string                `json:"issued_by"`
}

// Describe reads a certificate.
func Describe(leaf *x509.Certificate) Description {
	names := certcrypto.ExtractDomains(leaf)
	identifiers := make([]legoacme.Identifier, len(names))
	for i, name := range names {
		identifiers[i] = legoacme.Identifier{Type: "dns", Value: name}
		if net.ParseIP(name) != nil {
			identifiers[i].Type = "ip"
		}
	}
	digest := sha256.Sum256(leaf.Raw)
	return Description{
		Identifiers: identifiers,
		NotBefore:   leaf.NotBefore,
		NotAfter:    leaf.NotAfter,
		Serial:      leaf.SerialNumber.Text(16),
		Fingerprint: hex.EncodeToString(digest[:]),
		IssuedBy:    leaf.Issuer.String(),
	}
}

// ParseChain reads PEM certificates, the leaf first.
func ParseChain(text string) ([]*x509.Certificate, error) {
	certificates, err := certcrypto.ParsePEMBundle([]byte(text))
	if err != nil {
		return nil, fault.Wrap(fault.InvalidArguments, err, "the certificate cannot be read as PEM")
	}
	if certificates[0].IsCA {
		return nil, fault.New(fault.InvalidArguments, "the first certificate is a CA's: the leaf comes first")
	}
	for i, issuer := range certificates[1:] {
		if !bytes.Equal(certificates[i].RawIssuer, issuer.RawSubject) {
			return nil, fault.New(fault.InvalidArguments, "certificate %d of the chain is not the issuer of the one before it", i+2)
		}
	}
	return certificates, nil
}

// EncodeChain writes certificates as PEM.
func EncodeChain(certificates []*x509.Certificate) string {
	var text bytes.Buffer
	for _, certificate := range certificates {
		_ = pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}) // a Buffer takes all
	}
	return text.String()
}

// Fits reports whether a public key is the certificate's.
func Fits(key crypto.PublicKey, leaf *x509.Certificate) bool {
	public, comparable := key.(interface{ Equal(crypto.PublicKey) bool })
	return comparable && public.Equal(leaf.PublicKey)
}

// KeyType names the type of a certificate's key, if it is one that GenerateKey makes.
func KeyType(leaf *x509.Certificate) string {
	kind, err := certcrypto.GetCertificateKeyType(leaf)
	if err != nil {
		return ""
	}
	return string(kind)
}

// RenewalID is how ARI names a certificate (RFC 9773 section 4.1).
func RenewalID(leaf *x509.Certificate) (string, error) {
	if len(leaf.AuthorityKeyId) == 0 {
		return "", fault.New(fault.InvalidArguments, "the certificate has no authority key identifier, by which RFC 9773 would name it")
	}
	return api.MakeARICertID(leaf)
}

// PKCS12 packs a key and its chain, in one of lego's formats.
func PKCS12(key crypto.Signer, chain []*x509.Certificate, password, format string) ([]byte, error) {
	encoder, err := certcrypto.GetPKCS12Encoder(format)
	if err != nil {
		return nil, fault.New(fault.InvalidArguments, "unknown PKCS#12 format %q; known are %v", format, certcrypto.AllPKCS12Formats())
	}
	packed, err := encoder.Encode(key, chain[0], chain[1:], password)
	if err != nil {
		return nil, fault.Wrap(fault.InvalidArguments, err, "cannot make a PKCS#12 file")
	}
	return packed, nil
}
