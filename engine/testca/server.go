// Package testca is an ACME server for tests and demonstrations: Pebble and a
// small DNS in this process, on loopback ports that it picks, with faults that
// can change while it runs. Its keys stay in memory, and nothing trusts what it
// signs unless handed Info.TrustRoot and Info.Roots.
package testca

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/letsencrypt/pebble/v2/wfe"

	"pylego/engine/fault"
	"pylego/engine/transport"
)

// Server is a running CA with its DNS.
type Server struct {
	config     Config
	dns        *DNS
	faults     *middleware
	acme       replaceable // Pebble's two handlers
	management replaceable

	mu     sync.Mutex
	info   Info
	orders *ledger

	closeOnce sync.Once
	closers   []func() error
	closeErr  error
}

// Start starts a server. The context bounds the start only: Close ends the server.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}

	server := &Server{}
	if err := server.start(ctx, cfg); err != nil {
		_ = server.Close()
		return nil, err
	}

	return server, nil
}

func (s *Server) start(ctx context.Context, cfg Config) error {
	if err := s.choosePorts(&cfg); err != nil {
		return err
	}

	if err := s.startDNS(ctx, cfg); err != nil {
		return err
	}

	s.config = cfg
	if err := s.Restart(); err != nil {
		return err
	}

	s.faults = &middleware{next: &s.acme}

	identity, err := newIdentity()
	if err != nil {
		return err
	}

	s.info.TrustRoot = identity.root

	acmeURL, err := s.serve(ctx, cfg.Port, s.faults, identity)
	if err != nil {
		return err
	}

	s.info.Directory = acmeURL + wfe.DirectoryPath

	// A listener of its own, so that no fault stands in the way of a test that
	// asks what the CA thinks.
	if s.info.Management, err = s.serve(ctx, 0, &s.management, identity); err != nil {
		return err
	}

	s.info.HTTPReq, err = s.serve(ctx, cfg.HTTPReqPort, httpreq{s.dns}, nil)

	return err
}

func (s *Server) choosePorts(cfg *Config) error {
	for _, port := range []*int{&cfg.HTTPPort, &cfg.TLSPort} {
		if *port != 0 {
			continue
		}

		free, err := reservePort()
		if err != nil {
			return err
		}

		*port = free.port
		s.closers = append(s.closers, free.mark.Close)
	}

	s.info.HTTPPort, s.info.TLSPort = cfg.HTTPPort, cfg.TLSPort

	return nil
}

func (s *Server) startDNS(ctx context.Context, cfg Config) error {
	texts := cfg.Addresses
	if len(texts) == 0 {
		texts = []string{loopback}
	}

	addresses, err := parseAddresses(texts)
	if err != nil {
		return err
	}

	s.dns = newDNS(addresses)
	s.info.DNS, err = s.dns.start(ctx, cfg.DNSPort)
	s.closers = append(s.closers, s.dns.close)

	return err
}

// Restart puts a new Pebble in place of the one that runs. Accounts, orders, nonces
// and the CA's own keys are lost, as when its process ends: Pebble keeps nothing.
// Addresses, HTTPS certificate, DNS and faults stay.
func (s *Server) Restart() error {
	pebble, err := newPebble(s.config, s.info.DNS)
	if err != nil {
		return err
	}

	s.mu.Lock()
	defer s.mu.Unlock()

	s.info.Roots, s.info.Intermediates = pebble.chains()
	s.orders = pebble.acme
	s.acme.replace(pebble.acme)
	s.management.replace(pebble.management)

	return nil
}

// SetRenewalInfo has the CA answer so when it is asked about a certificate (RFC 9773).
func (s *Server) SetRenewalInfo(certificate, answer string) error {
	message, err := json.Marshal(map[string]string{"Certificate": certificate, "ARIResponse": answer})
	if err != nil {
		return err
	}

	request, err := http.NewRequest(http.MethodPost, "/set-renewal-info/", bytes.NewReader(message))
	if err != nil {
		return err
	}

	request.Header.Set("User-Agent", "testca") // Pebble answers nobody without: RFC 8555 6.1

	response := &statusOnly{headerOnly: headerOnly{}}
	s.management.ServeHTTP(response, request)

	if response.status != http.StatusOK {
		return fault.New(fault.InvalidArguments, "this is no certificate of the test CA's")
	}

	return nil
}

// statusOnly is a ResponseWriter of which only the status is of interest.
type statusOnly struct {
	headerOnly
	status int
}

func (s *statusOnly) WriteHeader(status int) { s.status = status }

// replaceable is a handler that another may take the place of.
type replaceable struct{ current atomic.Pointer[http.Handler] }

func (r *replaceable) replace(handler http.Handler) { r.current.Store(&handler) }

func (r *replaceable) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	(*r.current.Load()).ServeHTTP(w, request)
}

// Info says where the server is.
func (s *Server) Info() Info {
	s.mu.Lock()
	defer s.mu.Unlock()

	return s.info
}

// DNS is what the CA resolves with.
func (s *Server) DNS() *DNS { return s.dns }

// SetFaults replaces the faults; the zero value ends them.
func (s *Server) SetFaults(faults Faults) error { return s.faults.set(faults) }

// Requests counts the requests since the start by what they asked for, in the
// terms of RFC 8555 ("newNonce", "authorization", ...), whether answered or not.
func (s *Server) Requests() map[string]int { return s.faults.counts() }

// Close ends every listener, connection and goroutine, but for one: Pebble's VA
// has a loop over a channel that nobody can close. It waits for ever, idle,
// together with the CA's database. A validation in flight ends by itself,
// within its sleep and Pebble's 15 seconds.
func (s *Server) Close() error {
	s.closeOnce.Do(func() {
		for i := len(s.closers) - 1; i >= 0; i-- {
			err := s.closers[i]()
			if err != nil && !errors.Is(err, net.ErrClosed) {
				s.closeErr = errors.Join(s.closeErr, err)
			}
		}

		transport.Forget(s.Info().Directory) // its port may be another server's soon
	})

	if s.closeErr != nil {
		return fault.Wrap(fault.EngineError, s.closeErr, "the test CA did not close cleanly")
	}

	return nil
}

// Authorizations counts the authorizations of all orders by status (RFC 8555
// section 7.1.6).
func (s *Server) Authorizations() map[string]int {
	s.mu.Lock()
	orders := s.orders
	s.mu.Unlock()

	return orders.authorizations()
}
