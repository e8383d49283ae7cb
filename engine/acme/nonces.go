package acme

import (
	"context"
	"net/http"

	"pylego/engine/fault"
	"pylego/engine/transport"
)

// maxNonces bounds what is kept: a nonce that waits for long has expired at the CA anyway.
const maxNonces = 64

// nonces are kept for the next request (RFC 8555 section 6.5). They belong to
// the CA, not to an account, so all accounts of a Server share them.
type nonces struct {
	kept chan string
}

func newNonces() *nonces { return &nonces{kept: make(chan string, maxNonces)} }

func (n *nonces) keep(header http.Header) {
	nonce := header.Get("Replay-Nonce")
	if nonce == "" {
		return
	}
	select {
	case n.kept <- nonce:
	default: // enough of them
	}
}

// take prefers a nonce that another answer brings while newNonce is under way.
func (n *nonces) take(ctx context.Context, client *transport.Client, newNonceURL string) (string, error) {
	select {
	case nonce := <-n.kept:
		return nonce, nil
	default:
	}
	fetching, stop := context.WithCancel(ctx)
	defer stop()
	fetched := make(chan error, 1)
	go func() {
		response, err := client.Head(fetching, newNonceURL)
		if err == nil {
			if response.Header.Get("Replay-Nonce") == "" {
				err = fault.New(fault.CertificateObtainFailed, "%s answered newNonce without a Replay-Nonce header (HTTP %d)", newNonceURL, response.Status)
			}
			n.keep(response.Header)
		}
		fetched <- err
	}()
	select {
	case nonce := <-n.kept:
		return nonce, nil
	case err := <-fetched:
		if err != nil {
			return "", err
		}
	}
	select {
	case nonce := <-n.kept:
		return nonce, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
