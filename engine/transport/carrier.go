package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"
)

// carrier makes what carries the requests of one client.
func (c Config) carrier() (http.RoundTripper, error) {
	given, err := c.Trust.given()
	if err != nil {
		return nil, err
	}
	proxy, err := c.Proxy.function()
	if err != nil {
		return nil, err
	}
	switch {
	case c.Trust.NoSystem || c.Trust.Insecure:
		return c.over(given, proxy), nil
	case given.Equal(x509.NewCertPool()):
		return c.over(systemRoots(), proxy), nil
	}
	return &thriftyCarrier{given: c.over(given, proxy), withSystem: func() (*http.Transport, error) {
		roots, err := c.Trust.withSystem()
		if err != nil {
			return nil, err
		}
		return c.over(roots, proxy), nil
	}}, nil
}

func (c Config) over(roots *x509.CertPool, proxy func(*http.Request) (*url.URL, error)) *http.Transport {
	return &http.Transport{
		Proxy:                 proxy,
		DialContext:           c.dial,
		TLSClientConfig:       c.Trust.tls(roots),
		TLSHandshakeTimeout:   30 * time.Second,
		ResponseHeaderTimeout: 45 * time.Second,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   inFlight,
		IdleConnTimeout:       60 * time.Second,
	}
}

// dial connects to a server or proxy over the version of IP that is asked for.
func (c Config) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if c.IPVersion != 0 {
		network += strconv.Itoa(c.IPVersion) // "tcp4"
	}
	return (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext(ctx, network, address)
}

// thriftyCarrier reads the system's roots only when those that were handed over do
// not vouch for a server: parsing them takes milliseconds and a megabyte, and a
// private CA is vouched for by its own root.
type thriftyCarrier struct {
	given      *http.Transport
	withSystem func() (*http.Transport, error)
	wider      atomic.Pointer[http.Transport] // with the system's roots, once it was needed
}

// RoundTrip implements http.RoundTripper. A handshake that fails has sent nothing
// of the request, which goes out once more.
func (t *thriftyCarrier) RoundTrip(request *http.Request) (*http.Response, error) {
	if wider := t.wider.Load(); wider != nil {
		return wider.RoundTrip(request)
	}
	answer, err := t.given.RoundTrip(request)
	var untrusted *tls.CertificateVerificationError
	if !errors.As(err, &untrusted) {
		return answer, err
	}
	wider, failed := t.withSystem()
	if failed != nil {
		return nil, failed
	}
	again := request.Clone(request.Context())
	if request.GetBody != nil {
		if again.Body, failed = request.GetBody(); failed != nil {
			return nil, failed
		}
	}
	if answer, err = wider.RoundTrip(again); err == nil && t.wider.CompareAndSwap(nil, wider) {
		t.given.CloseIdleConnections()
	}
	return answer, err
}

// CloseIdleConnections is what http.Client looks for.
func (t *thriftyCarrier) CloseIdleConnections() {
	t.given.CloseIdleConnections()
	if wider := t.wider.Load(); wider != nil {
		wider.CloseIdleConnections()
	}
}
