// Package acme speaks RFC 8555 to one CA: directory, nonces, signed requests and
// the objects they return. It decides nothing: issuance does.
package acme

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	legoacme "github.com/go-acme/lego/v5/acme"

	"pylego/engine/fault"
	"pylego/engine/system"
	"pylego/engine/transport"
)

// Server is one CA as its directory describes it (RFC 8555 section 7.1.1), with
// the connections, nonces and account URLs that all operations on it share.
type Server struct {
	Directory legoacme.Directory
	URL       string

	// Ahead is how far the CA's clock is ahead of ours, to about a second; nil where
	// it told no Date.
	Ahead *time.Duration

	client *transport.Client
	nonces *nonces

	mu       sync.Mutex
	accounts map[string]*accountSlot // by the key's thumbprint
}

// dial fetches the directory over a new client.
func dial(ctx context.Context, url string, config transport.Config) (*Server, error) {
	if err := transport.CheckURL(url); err != nil {
		return nil, err
	}
	client, err := transport.New(config)
	if err != nil {
		return nil, err
	}
	s := &Server{URL: url, client: client, accounts: map[string]*accountSlot{}}
	s.nonces = &nonces{client: client, url: func() string { return s.Directory.NewNonceURL }}
	response, err := retried(ctx, func() (*transport.Response, error) { return s.get(ctx, url) })
	if err != nil {
		client.Close()
		var problem *Problem
		if errors.As(err, &problem) && problem.Page {
			err = fault.Wrap(fault.LegoClientCreationFailed, err, "there is no ACME directory")
		}
		return nil, err
	}
	if err := s.readDirectory(response); err != nil {
		client.Close()
		return nil, err
	}
	return s, nil
}

// get fetches what needs no signature; an error status is a Problem, which tells
// whether it is worth a second try.
func (s *Server) get(ctx context.Context, url string) (*transport.Response, error) {
	response, err := s.client.Get(ctx, url)
	if err == nil && response.Status != http.StatusOK {
		return nil, problemOf(response, url)
	}
	return response, err
}

func (s *Server) readDirectory(response *transport.Response) error {
	if err := json.Unmarshal(response.Body, &s.Directory); err != nil {
		return fault.New(fault.LegoClientCreationFailed, "%s does not answer with an ACME directory (it is not JSON)", s.URL)
	}
	for _, url := range []string{s.Directory.NewNonceURL, s.Directory.NewAccountURL, s.Directory.NewOrderURL} {
		if url == "" {
			return fault.New(fault.LegoClientCreationFailed, "%s does not answer with an ACME directory (newNonce, newAccount or newOrder is missing)", s.URL)
		}
		if err := transport.CheckURL(url); err != nil {
			return fault.Wrap(fault.LegoClientCreationFailed, err, "the directory %s holds an unusable URL", s.URL)
		}
	}
	s.nonces.keep(response.Header)
	s.Ahead = ahead(response, time.Now())
	return nil
}

// ahead compares a Date, which is cut to its second, with the middle of the round trip.
func ahead(response *transport.Response, now time.Time) *time.Duration {
	date, err := http.ParseTime(response.Header.Get("Date"))
	if err != nil {
		return nil
	}
	difference := date.Add(time.Second / 2).Sub(now.Add(-response.RoundTrip / 2))
	return &difference
}

const (
	// maxNonceTries lets an order through a server that rejects nine nonces of ten.
	maxNonceTries = 100
	// politeNonceTries are made at once; those after them wait a little.
	politeNonceTries = 10
	nonceBackOff     = 50 * time.Millisecond
)

// post signs and sends one request; payload nil makes it a POST-as-GET (RFC 8555
// section 6.3). A bad nonce is tried again at once with the nonce that came with
// the refusal (section 6.5): lego would sleep 200 ms here.
func (s *Server) post(ctx context.Context, key crypto.Signer, kid, url string, payload []byte) (*transport.Response, error) {
	nonce, err := s.nonces.take(ctx)
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		body, err := sign(key, kid, url, nonce, payload)
		if err != nil {
			return nil, err
		}
		response, err := s.client.Post(ctx, url, body)
		if err != nil {
			return nil, err
		}
		if response.Status < http.StatusMultipleChoices {
			s.nonces.keep(response.Header)
			return response, nil
		}
		problem := problemOf(response, url)
		if problem.Type != legoacme.BadNonceErrorType || try == maxNonceTries {
			s.nonces.keep(response.Header)
			return nil, problem
		}
		if nonce = response.Header.Get("Replay-Nonce"); nonce == "" {
			if nonce, err = s.nonces.take(ctx); err != nil {
				return nil, err
			}
		}
		if try >= politeNonceTries {
			if err := system.Sleep(ctx, nonceBackOff); err != nil {
				return nil, err
			}
		}
	}
}

// backOff are the waits between tries of a request that the network or the
// server's own trouble has stopped. Every ACME request may be repeated: newOrder
// at worst leaves an order that nobody finalizes.
var backOff = []time.Duration{100 * time.Millisecond, 400 * time.Millisecond, 1600 * time.Millisecond}

// retried sends a request again after a lost connection or a 5xx, and after a
// 429 or 503 whose Retry-After is short; the limiter has then already paused.
func retried(ctx context.Context, send func() (*transport.Response, error)) (*transport.Response, error) {
	for _, wait := range backOff {
		response, err := send()
		if err == nil || !transient(err) || inVain(ctx, err, wait) {
			return response, err
		}
		if err := system.Sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
	return send()
}

// inVain reports whether the caller's time is over before the next try: then what
// went wrong is told at once, and not that the time is over.
func inVain(ctx context.Context, err error, wait time.Duration) bool {
	var problem *Problem
	if errors.As(err, &problem) {
		wait = max(wait, problem.RetryAfter)
	}
	deadline, set := ctx.Deadline()
	return set && time.Until(deadline) < wait
}

func transient(err error) bool {
	var problem *Problem
	if errors.As(err, &problem) {
		switch {
		case problem.RetryAfter > transport.MaxPause:
			return false
		case problem.HTTPStatus == http.StatusTooManyRequests:
			return problem.RetryAfter > 0
		default:
			return problem.HTTPStatus >= http.StatusInternalServerError
		}
	}
	var known *fault.Error
	return errors.As(err, &known) && known.Code == fault.NetworkError && !permanent(err)
}
