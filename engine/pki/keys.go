// Package pki makes and reads keys, certificate requests and certificates.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"

	"github.com/go-acme/lego/v5/certcrypto"
	"github.com/go-jose/go-jose/v4"

	"pylego/engine/fault"
)

// ParseKey reads a PEM private key: PKCS #1, SEC 1 or PKCS #8; RSA or ECDSA.
// The text itself never becomes part of the error.
func ParseKey(text string) (crypto.Signer, error) {
	key, err := certcrypto.ParsePEMPrivateKey([]byte(text))
	if err != nil {
		return nil, fault.New(fault.InvalidPrivateKey, "the private key is not a PEM key that can be read (PKCS #1, SEC 1 or PKCS #8, without a password)")
	}
	if _, err := SignatureAlgorithm(key); err != nil {
		return nil, err
	}
	return key, nil
}

// GenerateKey makes a key of one of lego's types: EC256, EC384, RSA2048, RSA3072, RSA4096, RSA8192.
func GenerateKey(name string) (crypto.Signer, error) {
	keyType, err := certcrypto.ToKeyType(name)
	if err != nil {
		return nil, fault.New(fault.InvalidArguments, "unknown key type %q; known are %v", name, certcrypto.AllKeyTypes())
	}
	key, err := certcrypto.GeneratePrivateKey(keyType)
	if err != nil {
		return nil, fault.Wrap(fault.KeyGenerationFailed, err, "cannot generate a key")
	}
	return key, nil
}

// EncodeKey writes a key as PEM.
func EncodeKey(key crypto.Signer) string { return string(certcrypto.PEMEncode(key)) }

// SignatureAlgorithm is the JWS algorithm that fits a key (RFC 7518 section 3.1).
func SignatureAlgorithm(key crypto.Signer) (jose.SignatureAlgorithm, error) {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		return jose.RS256, nil
	case *ecdsa.PrivateKey:
		switch k.Curve.Params().BitSize {
		case 256:
			return jose.ES256, nil
		case 384:
			return jose.ES384, nil
		case 521:
			return jose.ES512, nil
		}
	}
	return "", fault.New(fault.InvalidPrivateKey, "an account key is RSA or ECDSA on P-256, P-384 or P-521, not %T", key)
}
