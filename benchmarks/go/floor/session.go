package main

import (
	"bytes"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"pylego/benchmarks/worker"
)

// session is what all accounts at one CA share. lego's api.Core fetches the
// directory for each account and keeps nonces to itself; here both are shared,
// which saves each account two round trips.
type session struct {
	next   http.RoundTripper
	latest atomic.Int64 // round trip, nanoseconds

	mu        sync.Mutex
	directory []byte
	nonces    []string
}

var sessions sync.Map // directory and trust -> *session

func sessionFor(directory, trust string) (*session, error) {
	if found, ok := sessions.Load(directory + trust); ok {
		return found.(*session), nil
	}
	transport, err := worker.Transport(trust)
	if err != nil {
		return nil, err
	}
	found, _ := sessions.LoadOrStore(directory+trust, &session{next: transport})
	return found.(*session), nil
}

func (s *session) roundTrip() time.Duration { return time.Duration(s.latest.Load()) }

// RoundTrip answers the directory and newNonce itself where it can.
func (s *session) RoundTrip(request *http.Request) (*http.Response, error) {
	s.mu.Lock()
	switch {
	case request.Method == http.MethodGet && s.directory != nil:
		defer s.mu.Unlock()
		return answer(request, nil, s.directory), nil
	case request.Method == http.MethodHead && len(s.nonces) > 0:
		defer s.mu.Unlock()
		last := len(s.nonces) - 1
		header := http.Header{"Replay-Nonce": {s.nonces[last]}}
		s.nonces = s.nonces[:last]
		return answer(request, header, nil), nil
	}
	s.mu.Unlock()

	began := time.Now()
	response, err := s.next.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	s.latest.Store(int64(time.Since(began)))
	if request.Method == http.MethodGet {
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			return nil, err
		}
		response.Body = io.NopCloser(bytes.NewReader(body))
		if response.StatusCode == http.StatusOK {
			s.mu.Lock()
			s.directory = body
			s.mu.Unlock()
		}
	}
	if request.Method == http.MethodPost {
		// Otherwise the api.Core would keep it for its own account.
		if nonce := response.Header.Get("Replay-Nonce"); nonce != "" {
			response.Header.Del("Replay-Nonce")
			s.mu.Lock()
			s.nonces = append(s.nonces, nonce)
			s.mu.Unlock()
		}
	}
	return response, nil
}

func answer(request *http.Request, header http.Header, body []byte) *http.Response {
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{
		StatusCode: http.StatusOK, Header: header, Request: request,
		Proto: "HTTP/2.0", ProtoMajor: 2,
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
}
