package acme

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"

	legoacme "github.com/go-acme/lego/v5/acme"

	"pylego/engine/fault"
	"pylego/engine/transport"
)

// Revoke revokes a certificate in the account's name (RFC 8555 section 7.6).
func (a *Account) Revoke(ctx context.Context, leaf *x509.Certificate, reason *uint) error {
	url, err := a.Server.revokeURL()
	if err != nil {
		return err
	}
	_, err = a.send(ctx, url, revocation(leaf, reason), nil)
	return err
}

// RevokeWithKey revokes a certificate in the name of its own key: whoever has it
// needs no account.
func (s *Server) RevokeWithKey(ctx context.Context, leaf *x509.Certificate, key crypto.Signer, reason *uint) error {
	url, err := s.revokeURL()
	if err != nil {
		return err
	}
	payload, err := json.Marshal(revocation(leaf, reason))
	if err != nil {
		return fmt.Errorf("cannot encode revokeCert: %w", err)
	}
	_, err = retried(ctx, func() (*transport.Response, error) { return s.post(ctx, key, "", url, payload) })
	return err
}

func (s *Server) revokeURL() (string, error) {
	if s.Directory.RevokeCertURL == "" {
		return "", fault.New(fault.InvalidArguments, "%s does not revoke by ACME", s.URL)
	}
	return s.Directory.RevokeCertURL, transport.CheckURL(s.Directory.RevokeCertURL)
}

func revocation(leaf *x509.Certificate, reason *uint) legoacme.RevokeCertMessage {
	return legoacme.RevokeCertMessage{Certificate: base64.RawURLEncoding.EncodeToString(leaf.Raw), Reason: reason}
}
