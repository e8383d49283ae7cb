package responder

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"pylego/engine/acme"
	"pylego/engine/fault"
	"pylego/engine/system"
)

// acmeTLS is the protocol of RFC 8737 section 6.2; nothing else is spoken here.
const acmeTLS = "acme-tls/1"

// acceptPause is between two tries to accept where the system refuses.
const acceptPause = 10 * time.Millisecond

// acmeIdentifier is the certificate extension of RFC 8737 section 6.1.
var acmeIdentifier = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 31}

var errNotACME = errors.New("not an ACME validation")

// tlsAnswers serves a certificate by SNI.
type tlsAnswers struct {
	watchers
	mu     sync.RWMutex
	byName map[string]*shown
}

// shown is the one answer that a name can have at a time: the handshake tells
// nothing that would let two orders of one name be kept apart.
type shown struct {
	token       string
	certificate *tls.Certificate
	gone        chan struct{} // closed when it is taken away
}

func newTLSAnswers() *tlsAnswers { return &tlsAnswers{byName: map[string]*shown{}} }

// add waits for another order's answer under the same name to go.
func (t *tlsAnswers) add(ctx context.Context, answer acme.Answer, _ string) error {
	certificate, err := challengeCertificate(answer)
	if err != nil {
		return fault.Wrap(fault.CertificateObtainFailed, err, "cannot make the tls-alpn-01 certificate of %s", answer.Name())
	}
	name := serverName(answer.Identifier)
	for {
		t.mu.Lock()
		other := t.byName[name]
		if other == nil {
			t.byName[name] = &shown{answer.Token, certificate, make(chan struct{})}
			t.mu.Unlock()
			return nil
		}
		t.mu.Unlock()
		select {
		case <-other.gone:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (t *tlsAnswers) remove(answer acme.Answer) {
	name := serverName(answer.Identifier)
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.byName[name]; s != nil && s.token == answer.Token {
		delete(t.byName, name)
		close(s.gone)
	}
	t.drop(answer.Token)
}

func (t *tlsAnswers) seen(answer acme.Answer) <-chan struct{} { return t.channel(answer.Token) }

func (t *tlsAnswers) count() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.byName)
}

func (t *tlsAnswers) serve(listener net.Listener) (stop func()) {
	running, cancel := context.WithCancel(context.Background())
	go func() {
		for {
			connection, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) || running.Err() != nil {
				return
			}
			if err != nil { // no descriptor left, say: the next one may be there
				_ = system.Sleep(running, acceptPause)
				continue
			}
			go func() { _ = fault.Guard(func() error { t.answer(running, connection); return nil }) }()
		}
	}()
	return func() {
		cancel()
		_ = listener.Close()
	}
}

// answer makes one handshake; the handshake is all there is (RFC 8737 section 3).
func (t *tlsAnswers) answer(running context.Context, connection net.Conn) {
	defer func() { _ = connection.Close() }()
	ctx, cancel := context.WithTimeout(running, connectionTime)
	defer cancel()
	var token string
	config := &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{acmeTLS},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if !slices.Contains(hello.SupportedProtos, acmeTLS) {
				return nil, errNotACME
			}
			t.mu.RLock()
			defer t.mu.RUnlock()
			found := t.byName[strings.ToLower(strings.TrimSuffix(hello.ServerName, "."))]
			if found == nil {
				return nil, errNotACME
			}
			token = found.token
			return found.certificate, nil
		},
	}
	if tls.Server(connection, config).HandshakeContext(ctx) == nil {
		t.notify(token)
	}
}

// challengeCertificate is the self-signed certificate of RFC 8737 section 3, with
// the digest of the key authorization in its extension.
func challengeCertificate(answer acme.Answer) (*tls.Certificate, error) {
	digest := sha256.Sum256([]byte(answer.KeyAuthorization))
	extension, err := asn1.Marshal(digest[:])
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:    serial,
		Subject:         pkix.Name{CommonName: "ACME Challenge"},
		NotBefore:       time.Now().Add(-time.Hour), // a CA's clock may be behind
		NotAfter:        time.Now().Add(24 * time.Hour),
		KeyUsage:        x509.KeyUsageDigitalSignature,
		ExtKeyUsage:     []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		ExtraExtensions: []pkix.Extension{{Id: acmeIdentifier, Critical: true, Value: extension}},
	}
	if answer.Identifier.Type == "ip" {
		template.IPAddresses = []net.IP{net.ParseIP(answer.Identifier.Value)}
	} else {
		template.DNSNames = []string{answer.Identifier.Value}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// reverseName is an address's name under in-addr.arpa or ip6.arpa, without the last dot.
func reverseName(ip net.IP) string {
	name, err := dns.ReverseAddr(ip.String())
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(name, ".")
}
