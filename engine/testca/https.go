package testca

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log"
	"math/big"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"pylego/engine/fault"
)

const (
	loopback = "127.0.0.1"

	// Long enough for a server left running over a weekend.
	identityValidity = 7 * 24 * time.Hour
)

// identity is what the HTTPS listeners show. The root's key is dropped as soon
// as it has signed: nobody can sign with it later.
type identity struct {
	root string // PEM
	leaf tls.Certificate
}

func newIdentity() (*identity, error) {
	made, err := makeIdentity()
	if err != nil {
		return nil, fault.Wrap(fault.EngineError, err, "the test CA's HTTPS certificate could not be made")
	}

	return made, nil
}

func makeIdentity() (*identity, error) {
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}

	leafKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}

	root := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "pylego test CA: HTTPS root"},
		NotBefore:             time.Now().Add(-time.Hour), // for clocks that differ, as in a virtual machine
		NotAfter:              time.Now().Add(identityValidity),
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}

	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, rootKey.Public(), rootKey)
	if err != nil {
		return nil, err
	}

	// Parsed again, because the leaf takes its authority key identifier from it,
	// and Python 3.13 verifies none without.
	if root, err = x509.ParseCertificate(rootDER); err != nil {
		return nil, err
	}

	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: "pylego test CA"},
		NotBefore:    root.NotBefore,
		NotAfter:     root.NotAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}

	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, root, leafKey.Public(), rootKey)
	if err != nil {
		return nil, err
	}

	return &identity{
		root: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER})),
		leaf: tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: leafKey},
	}, nil
}

// serve listens on a port until Close, a free one for 0: HTTPS (1.1 and 2) with an
// identity, plain HTTP without. It gives the URL.
func (s *Server) serve(ctx context.Context, port int, handler http.Handler, identity *identity) (string, error) {
	var config net.ListenConfig

	address := net.JoinHostPort(loopback, strconv.Itoa(port))

	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return "", fault.Wrap(fault.NetworkError, err, "the test CA cannot listen on %s", address)
	}

	running, stop := context.WithCancel(context.Background())
	calls := &calls{next: handler}
	server := &http.Server{
		Handler:           calls,
		ReadHeaderTimeout: 30 * time.Second,
		ErrorLog:          log.New(debugLog{"http"}, "", 0),
		BaseContext:       func(net.Listener) context.Context { return running },
		ConnContext:       withConnection,
	}

	scheme, serve := "http", func() error { return server.Serve(listener) }
	if identity != nil {
		server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{identity.leaf}, MinVersion: tls.VersionTLS12}
		scheme, serve = "https", func() error { return server.ServeTLS(listener, "", "") }
	}

	ended := make(chan error, 1)
	go func() { ended <- serve() }()

	s.closers = append(s.closers, func() error {
		stop()

		// Not Shutdown: it waits at least a second for an HTTP/2 connection.
		err := server.Close()
		if serveErr := <-ended; !errors.Is(serveErr, http.ErrServerClosed) {
			err = errors.Join(err, serveErr)
		}

		calls.wait()

		return err
	})

	return scheme + "://" + listener.Addr().String(), nil
}

type connectionKey struct{}

func withConnection(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, conn)
}

// cut closes the connection of a request under TLS's feet, as a cable would.
func cut(r *http.Request) {
	switch conn := r.Context().Value(connectionKey{}).(type) {
	case *tls.Conn:
		_ = conn.NetConn().Close()
	case net.Conn:
		_ = conn.Close()
	}
}

// lastCalls bounds the wait for requests in flight: a validation of Pebble's may
// hold one of them up.
const lastCalls = 2 * time.Second

// calls knows the requests in flight, for which http.Server.Close does not wait.
type calls struct {
	next http.Handler

	mu     sync.Mutex
	closed bool
	group  sync.WaitGroup
}

func (c *calls) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !c.enter() {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}

	defer c.group.Done()

	c.next.ServeHTTP(w, r)
}

func (c *calls) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()

	if !c.closed {
		c.group.Add(1)
	}

	return !c.closed
}

func (c *calls) wait() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()

	ended := make(chan struct{})

	go func() {
		defer close(ended)
		c.group.Wait()
	}()

	select {
	case <-ended:
	case <-time.After(lastCalls):
	}
}
