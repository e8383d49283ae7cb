package issuance

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"pylego/engine/testca"
)

var errHangUp = errors.New("the test hangs up")

// proxy forwards to a CA and spoils what comes back: the CA has done what it was
// asked, which testca's own faults, in front of it, cannot show.
type proxy struct {
	*httptest.Server
	mu     sync.Mutex
	seen   map[string]int
	spoil  func(kind string, count int, answer *http.Response) error
	before func(kind string)
}

// paths are Pebble's, in the terms of RFC 8555.
var paths = map[string]string{
	"/order-plz": "newOrder", "/authZ/": "authorization", "/chalZ/": "challenge",
	"/finalize-order/": "finalize", "/my-order/": "order", "/certZ/": "certificate",
	"/sign-me-up": "newAccount", "/nonce-plz": "newNonce", "/dir": "directory",
}

func kindOf(path string) string {
	for prefix, kind := range paths {
		if strings.HasPrefix(path, prefix) {
			return kind
		}
	}
	return path
}

// startProxy puts spoil between in and the CA. It is called with the count of
// answers of that kind so far; errHangUp closes the connection.
func startProxy(t *testing.T, ca *testca.Server, in *ObtainInput, spoil func(kind string, count int, answer *http.Response) error) *proxy {
	t.Helper()
	target, err := url.Parse(ca.Info().Directory)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(ca.Info().TrustRoot))
	carrier := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	p := &proxy{seen: map[string]int{}, spoil: spoil}
	p.Server = httptest.NewUnstartedServer(&httputil.ReverseProxy{
		Transport: carrier,
		Rewrite: func(r *httputil.ProxyRequest) {
			if p.before != nil {
				p.before(kindOf(r.In.URL.Path))
			}
			r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host
			r.Out.Host = r.In.Host // Pebble makes its URLs of it
		},
		ModifyResponse: p.answer,
		ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ErrorLog:       log.New(io.Discard, "", 0),
	})
	p.Config.ErrorLog = log.New(io.Discard, "", 0)
	p.StartTLS()
	t.Cleanup(func() {
		p.CloseClientConnections()
		p.Close()
		carrier.CloseIdleConnections()
	})
	in.Server.Directory = p.URL + "/dir"
	in.Server.Trust.PEM = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate().Raw}))
	return p
}

func (p *proxy) answer(answer *http.Response) error {
	kind := kindOf(answer.Request.URL.Path)
	p.mu.Lock()
	p.seen[kind]++
	count := p.seen[kind]
	p.mu.Unlock()
	return p.spoil(kind, count, answer)
}

func (p *proxy) count(kind string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen[kind]
}

// rewrite changes an answer's JSON object.
func rewrite(answer *http.Response, change func(object map[string]any)) error {
	object := map[string]any{}
	if err := json.NewDecoder(answer.Body).Decode(&object); err != nil {
		return err
	}
	change(object)
	return replace(answer, object)
}

func replace(answer *http.Response, object any) error {
	body, err := json.Marshal(object)
	answer.Body = io.NopCloser(bytes.NewReader(body))
	answer.ContentLength = int64(len(body))
	answer.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return err
}

// refuse makes an answer a problem document.
func refuse(answer *http.Response, status int, kind, detail string) error {
	answer.StatusCode, answer.Status = status, http.StatusText(status)
	answer.Header.Set("Content-Type", "application/problem+json")
	return replace(answer, map[string]any{"type": "urn:ietf:params:acme:error:" + kind, "detail": detail, "status": status})
}

// ledger is what a CA has told about the authorizations of its orders. It is
// read off the answers: Pebble 2.10.1 leaves a challenge locked when it shows a
// deactivated authorization, and does not answer the next question about it.
type ledger struct {
	mu       sync.Mutex
	statuses map[string]string // by URL
}

func keepLedger(t *testing.T, ca *testca.Server, in *ObtainInput) *ledger {
	t.Helper()
	l := &ledger{statuses: map[string]string{}}
	startProxy(t, ca, in, func(kind string, _ int, answer *http.Response) error {
		if answer.StatusCode >= 300 || kind != "newOrder" && kind != "authorization" {
			return nil
		}
		address := "https://" + answer.Request.Host + answer.Request.URL.Path
		return rewrite(answer, func(object map[string]any) {
			l.mu.Lock()
			defer l.mu.Unlock()
			if kind == "authorization" {
				l.statuses[address], _ = object["status"].(string)
				return
			}
			for _, url := range object["authorizations"].([]any) {
				l.statuses[url.(string)] = "pending"
			}
		})
	})
	return l
}

func (l *ledger) pending() (urls []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for url, status := range l.statuses {
		if status == "pending" {
			urls = append(urls, url)
		}
	}
	return urls
}
