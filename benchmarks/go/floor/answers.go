package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"pylego/benchmarks/worker"
)

// answers shows what the CA looks for, in one way for all names.
type answers interface {
	challenge() string
	present(ctx context.Context, name, token, keyAuthorization string) error
	cleanUp(ctx context.Context, name, token, keyAuthorization string) error
}

type byHTTP struct{ *worker.Responder }

func (byHTTP) challenge() string { return "http-01" }

func (a byHTTP) present(_ context.Context, _, token, keyAuthorization string) error {
	a.Present(token, keyAuthorization)
	return nil
}

func (a byHTTP) cleanUp(_ context.Context, _, token, _ string) error {
	a.CleanUp(token)
	return nil
}

// byHTTPReq asks the API of lego's httpreq provider itself.
type byHTTPReq struct{ endpoint string }

// Connections for all names at once, as many as are asked for together.
var httpreq = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}}

func (byHTTPReq) challenge() string { return "dns-01" }

func (a byHTTPReq) present(ctx context.Context, name, _, keyAuthorization string) error {
	return a.post(ctx, "/present", name, keyAuthorization)
}

func (a byHTTPReq) cleanUp(ctx context.Context, name, _, keyAuthorization string) error {
	return a.post(ctx, "/cleanup", name, keyAuthorization)
}

func (a byHTTPReq) post(ctx context.Context, path, name, keyAuthorization string) error {
	digest := sha256.Sum256([]byte(keyAuthorization)) // RFC 8555 section 8.4
	body, err := json.Marshal(map[string]string{
		"fqdn":  "_acme-challenge." + name + ".",
		"value": base64.RawURLEncoding.EncodeToString(digest[:]),
	})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.endpoint+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := httpreq.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, response.Body) // so that the connection stays
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("httpreq answers %s", response.Status)
	}
	return nil
}
