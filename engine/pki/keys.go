// Package pki makes and reads keys, certificate requests and certificates.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rsa"
	"crypto/sha256"

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

// shortestSeed is that of 256 bits.
const shortestSeed = 64

// KeyFromSeed makes a P-256 key of a random text, the same of the same: so
// operations that begin at once, each in a process of its own even, can share an
// account that none of them has made yet.
func KeyFromSeed(seed string) (crypto.Signer, error) {
	if len(seed) < shortestSeed {
		return nil, fault.New(fault.InvalidArguments, "a key's seed has at least %d hexadecimal digits, not %d", shortestSeed, len(seed))
	}
	// One scalar in 2^32 is not below the curve's order: then the next one is taken.
	for counter := byte(0); ; counter++ {
		scalar, err := hkdf.Key(sha256.New, []byte(seed), nil, string([]byte{counter}), sha256.Size)
		if err != nil {
			return nil, fault.Wrap(fault.KeyGenerationFailed, err, "cannot make a key of a seed")
		}
		if key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar); err == nil {
			return key, nil
		}
	}
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
	return "", fault.New(fault.InvalidPrivateKey, "a key is RSA or ECDSA on P-256, P-384 or P-521, not %T", key)
}
