package testca

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	legoacme "github.com/go-acme/lego/v5/acme"
	"github.com/go-acme/lego/v5/acme/api"
	"github.com/go-acme/lego/v5/challenge/tlsalpn01"
)

// start gives a running server that ends with the test.
func start(t *testing.T, cfg Config) *Server {
	t.Helper()

	server, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})

	return server
}

// httpClient trusts the server's HTTPS root and nothing else.
func httpClient(t *testing.T, server *Server) *http.Client {
	t.Helper()

	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(server.Info().TrustRoot)) {
		t.Fatal("the trust root is not PEM")
	}

	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)

	return &http.Client{Transport: transport, Timeout: time.Minute}
}

func newKey(t *testing.T) crypto.Signer {
	t.Helper()

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}

	return key
}

// newClient gives lego's own protocol core, which knows nothing of this package.
func newClient(t *testing.T, server *Server) *api.Core {
	t.Helper()

	core, err := api.New(httpClient(t, server), "testca", server.Info().Directory, "", newKey(t))
	if err != nil {
		t.Fatal(err)
	}

	return core
}

// newAccount gives a client that has an account.
func newAccount(t *testing.T, server *Server) *api.Core {
	t.Helper()

	core := newClient(t, server)
	if _, err := core.Accounts.New(t.Context(), legoacme.Account{TermsOfServiceAgreed: true}); err != nil {
		t.Fatal(err)
	}

	return core
}

// answer makes one challenge answerable; what it returns takes it back.
type answer func(t *testing.T, server *Server, domain, token, keyAuth string) (takeBack func())

var answers = map[string]answer{
	"http-01":     answerHTTP01,
	"tls-alpn-01": answerTLSALPN01,
	"dns-01":      answerDNS01,
}

func answerHTTP01(t *testing.T, server *Server, domain, token, keyAuth string) func() {
	t.Helper()

	listener := listen(t, server.Info().HTTPPort)
	responder := &http.Server{
		ReadHeaderTimeout: time.Minute,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			host, _, _ := net.SplitHostPort(r.Host)
			if host == domain && r.URL.Path == "/.well-known/acme-challenge/"+token {
				_, _ = w.Write([]byte(keyAuth))
			}
		}),
	}

	go func() { _ = responder.Serve(listener) }()

	return func() { _ = responder.Close() }
}

func answerTLSALPN01(t *testing.T, server *Server, domain, _, keyAuth string) func() {
	t.Helper()

	cert, err := tlsalpn01.ChallengeCert(domain, keyAuth)
	if err != nil {
		t.Fatal(err)
	}

	listener := listen(t, server.Info().TLSPort)
	config := &tls.Config{Certificates: []tls.Certificate{*cert}, NextProtos: []string{"acme-tls/1"}}

	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}

			go func() {
				_ = tls.Server(conn, config).Handshake()
				_ = conn.Close()
			}()
		}
	}()

	return func() { _ = listener.Close() }
}

func answerDNS01(t *testing.T, server *Server, domain, _, keyAuth string) func() {
	t.Helper()

	digest := sha256.Sum256([]byte(keyAuth))
	fqdn, value := "_acme-challenge."+domain+".", base64.RawURLEncoding.EncodeToString(digest[:])

	postHTTPReq(t, server, "/present", fqdn, value)

	return func() { postHTTPReq(t, server, "/cleanup", fqdn, value) }
}

// postHTTPReq does what lego's httpreq provider does.
func postHTTPReq(t *testing.T, server *Server, path, fqdn, value string) {
	t.Helper()

	message, err := json.Marshal(map[string]string{"fqdn": fqdn, "value": value})
	if err != nil {
		t.Fatal(err)
	}

	response, err := http.Post(server.Info().HTTPReq+path, "application/json", strings.NewReader(string(message)))
	if err != nil {
		t.Fatal(err)
	}

	_ = response.Body.Close()

	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", path, response.Status)
	}
}

func listen(t *testing.T, port int) net.Listener {
	t.Helper()

	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}

	return listener
}

// obtain takes one order to its certificates: the default chain and the alternates.
func obtain(t *testing.T, server *Server, core *api.Core, challenge string, domains ...string) [][]*x509.Certificate {
	t.Helper()

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	order, err := core.Orders.New(ctx, domains, nil)
	if err != nil {
		t.Fatal(err)
	}

	for _, url := range order.Authorizations {
		if status := validate(ctx, t, server, core, challenge, url); status != legoacme.StatusValid {
			t.Fatalf("%s: the authorization is %s", challenge, status)
		}
	}

	request := x509.CertificateRequest{DNSNames: domains}

	csr, err := x509.CreateCertificateRequest(rand.Reader, &request, newKey(t))
	if err != nil {
		t.Fatal(err)
	}

	finalized, err := core.Orders.UpdateForCSR(ctx, order.Finalize, csr)
	for err == nil && finalized.Status != legoacme.StatusValid {
		finalized, err = core.Orders.Get(ctx, order.Location)
	}

	if err != nil {
		t.Fatal(err)
	}

	certificates, err := core.Certificates.GetAll(ctx, finalized.Certificate, true)
	if err != nil {
		t.Fatal(err)
	}

	chains := [][]*x509.Certificate{parse(t, certificates[finalized.Certificate].Cert)}
	delete(certificates, finalized.Certificate)

	for _, alternate := range certificates {
		chains = append(chains, parse(t, alternate.Cert))
	}

	return chains
}

// validate answers one authorization and says what it became.
func validate(ctx context.Context, t *testing.T, server *Server, core *api.Core, challenge, url string) string {
	t.Helper()

	authorization, err := core.Authorizations.Get(ctx, url)
	if err != nil {
		t.Fatal(err)
	}

	for _, offered := range authorization.Challenges {
		if offered.Type != challenge {
			continue
		}

		keyAuth, err := core.GetKeyAuthorization(offered.Token)
		if err != nil {
			t.Fatal(err)
		}

		takeBack := answers[challenge](t, server, authorization.Identifier.Value, offered.Token, keyAuth)
		defer takeBack()

		_, err = core.Challenges.New(ctx, offered.URL)
		for err == nil && authorization.Status == legoacme.StatusPending {
			authorization, err = core.Authorizations.Get(ctx, url)
		}

		if err != nil {
			t.Fatal(err)
		}
	}

	return authorization.Status
}

func parse(t *testing.T, chain []byte) (certificates []*x509.Certificate) {
	t.Helper()

	for block, rest := pem.Decode(chain); block != nil; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}

		certificates = append(certificates, certificate)
	}

	return certificates
}

// verify checks a chain against one root of the CA.
func verify(t *testing.T, chain []*x509.Certificate, root, name string) error {
	t.Helper()

	options := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), DNSName: name}
	options.Roots.AppendCertsFromPEM([]byte(root))

	for _, certificate := range chain[1:] {
		options.Intermediates.AddCert(certificate)
	}

	_, err := chain[0].Verify(options)

	return err
}
