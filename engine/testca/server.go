// Package testca is an ACME server for tests and demonstrations: Pebble and a
// small DNS in this process, on loopback ports that it picks, with faults that
// can change while it runs. Its keys stay in memory, and nothing trusts what it
// signs unless handed Info.TrustRoot and Info.Roots.
package testca

import (
	"context"
	"errors"
	"net"
	"sync"

	"github.com/letsencrypt/pebble/v2/wfe"

	"pylego/engine/fault"
)

// Server is a running CA with its DNS.
type Server struct {
	info     Info
	dns      *DNS
	faults   *middleware
	orders   *ledger
	reserved []int

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

	if err := s.startDNS(ctx, cfg.Addresses); err != nil {
		return err
	}

	pebble, err := newPebble(cfg, s.info.DNS)
	if err != nil {
		return err
	}

	s.info.Roots, s.info.Intermediates = pebble.chains()
	s.orders = pebble.acme
	s.faults = &middleware{next: pebble.acme}

	identity, err := newIdentity()
	if err != nil {
		return err
	}

	s.info.TrustRoot = identity.root

	acmeURL, err := s.serve(ctx, s.faults, identity)
	if err != nil {
		return err
	}

	s.info.Directory = acmeURL + wfe.DirectoryPath

	// A listener of its own, so that no fault stands in the way of a test that
	// asks what the CA thinks.
	if s.info.Management, err = s.serve(ctx, pebble.management, identity); err != nil {
		return err
	}

	s.info.HTTPReq, err = s.serve(ctx, httpreq{s.dns}, nil)

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

		*port = free
		s.reserved = append(s.reserved, free)
	}

	s.info.HTTPPort, s.info.TLSPort = cfg.HTTPPort, cfg.TLSPort

	return nil
}

func (s *Server) startDNS(ctx context.Context, texts []string) error {
	if len(texts) == 0 {
		texts = []string{loopback}
	}

	addresses, err := parseAddresses(texts)
	if err != nil {
		return err
	}

	s.dns = newDNS(addresses)
	s.info.DNS, err = s.dns.start(ctx)
	s.closers = append(s.closers, s.dns.close)

	return err
}

// Info says where the server is.
func (s *Server) Info() Info { return s.info }

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

		releasePorts(s.reserved)
	})

	if s.closeErr != nil {
		return fault.Wrap(fault.EngineError, s.closeErr, "the test CA did not close cleanly")
	}

	return nil
}

// Authorizations counts the authorizations of all orders by status (RFC 8555
// section 7.1.6).
func (s *Server) Authorizations() map[string]int { return s.orders.authorizations() }
