package acme

import (
	"crypto"
	"encoding/base64"
	"fmt"

	"github.com/go-jose/go-jose/v4"

	"pylego/engine/pki"
)

// sign makes the flattened JWS of RFC 8555 section 6.2. Without an account URL
// (kid) the public key itself goes along, as newAccount requires.
func sign(key crypto.Signer, kid, url, nonce string, payload []byte) ([]byte, error) {
	algorithm, err := pki.SignatureAlgorithm(key)
	if err != nil {
		return nil, err
	}
	options := jose.SignerOptions{EmbedJWK: kid == "", ExtraHeaders: map[jose.HeaderKey]any{"url": url}}
	if nonce != "" {
		options.ExtraHeaders["nonce"] = nonce
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, &options)
	if err != nil {
		return nil, fmt.Errorf("cannot sign for the CA: %w", err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return nil, fmt.Errorf("cannot sign for the CA: %w", err)
	}
	return []byte(signed.FullSerialize()), nil
}

// bind signs the account's key with the CA's HMAC key (RFC 8555 section 7.3.4).
func bind(key crypto.Signer, keyID string, hmac []byte, url string) ([]byte, error) {
	public := jose.JSONWebKey{Key: key.Public()}
	payload, err := public.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("cannot encode the account key: %w", err)
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.HS256, Key: hmac},
		&jose.SignerOptions{ExtraHeaders: map[jose.HeaderKey]any{"kid": keyID, "url": url}},
	)
	if err != nil {
		return nil, fmt.Errorf("cannot sign the external account binding: %w", err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return nil, fmt.Errorf("cannot sign the external account binding: %w", err)
	}
	return []byte(signed.FullSerialize()), nil
}

// Thumbprint is the account key's RFC 7638 digest, in base64url.
func Thumbprint(key crypto.Signer) (string, error) {
	digest, err := (&jose.JSONWebKey{Key: key.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("cannot digest the account key: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(digest), nil
}
