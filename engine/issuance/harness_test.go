package issuance

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-acme/lego/v5/certcrypto"

	"pylego/engine/account"
	"pylego/engine/acme"
	"pylego/engine/pki"
	"pylego/engine/report"
	"pylego/engine/testca"
	"pylego/engine/transport"
)

// slowRetrigger is what users have; tests need not wait for it.
var slowRetrigger = retrigger

// TestMain fails when the tests leave goroutines of ours behind.
func TestMain(m *testing.M) {
	retrigger = []time.Duration{10 * time.Millisecond, 20 * time.Millisecond, 40 * time.Millisecond}
	code := m.Run()
	acme.CloseIdle()
	if left := leftRunning(); code == 0 && left != "" {
		fmt.Println("goroutines stay behind:\n" + left)
		code = 1
	}
	os.Exit(code)
}

// leftRunning waits for our goroutines to end and returns the stacks of those that do not.
func leftRunning() (stacks string) {
	for deadline := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		buffer := make([]byte, 4<<20)
		stacks = ""
		for stack := range strings.SplitSeq(string(buffer[:runtime.Stack(buffer, true)]), "\n\n") {
			for _, ours := range []string{"issuance.", "responder.", "acme.(", "acme.Connect", "transport.("} {
				if strings.Contains(stack, "pylego/engine/"+ours) && !strings.Contains(stack, "testing.") && !strings.Contains(stack, "leftRunning") {
					stacks += stack + "\n\n"
					break
				}
			}
		}
		if stacks == "" || time.Now().After(deadline) {
			return stacks
		}
	}
}

// startCA gives a CA of this test's own.
func startCA(t *testing.T, config testca.Config) *testca.Server {
	t.Helper()
	ca, err := testca.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Pebble 2.10.1 keeps the locks of the challenges of an authorization that
		// was deactivated; a trigger that came beside it never ends, nor then Close.
		closed := make(chan struct{})
		go func() { _ = ca.Close(); close(closed) }()
		select {
		case <-closed:
		case <-time.After(time.Second):
		}
	})
	return ca
}

func setFaults(t *testing.T, ca *testca.Server, faults testca.Faults) {
	t.Helper()
	if err := ca.SetFaults(faults); err != nil {
		t.Fatal(err)
	}
}

func http01(ca *testca.Server) Challenge {
	return Challenge{Type: "http-01", Host: "127.0.0.1", Port: ca.Info().HTTPPort}
}

func tlsALPN01(ca *testca.Server) Challenge {
	return Challenge{Type: "tls-alpn-01", Host: "127.0.0.1", Port: ca.Info().TLSPort}
}

// inputFor is an order by http-01 with a new account.
func inputFor(t *testing.T, ca *testca.Server, names ...string) ObtainInput {
	t.Helper()
	key, err := pki.GenerateKey("EC256")
	if err != nil {
		t.Fatal(err)
	}
	return ObtainInput{
		Access: account.Access{
			Server: account.Server{
				Directory: ca.Info().Directory,
				Config:    transport.Config{Trust: transport.Trust{PEM: ca.Info().TrustRoot, NoSystem: true}},
			},
			Account: account.Input{Key: pki.EncodeKey(key), TermsAgreed: true},
		},
		Identifiers: names,
		Challenges:  []Challenge{http01(ca)},
	}
}

// apart reaches the CA under another name: a pause concerns a host and port, and
// would outlast this test's server there.
func apart(in ObtainInput) ObtainInput {
	in.Server.Directory = strings.Replace(in.Server.Directory, "127.0.0.1", "localhost", 1)
	return in
}

// events records what is reported, and calls on at each event.
type events struct {
	mu  sync.Mutex
	all []report.Event
	on  func(report.Event)
}

func (e *events) report(event report.Event) {
	e.mu.Lock()
	e.all = append(e.all, event)
	e.mu.Unlock()
	if e.on != nil {
		e.on(event)
	}
}

func (e *events) kinds() (kinds []report.Kind) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, event := range e.all {
		kinds = append(kinds, event.Kind)
	}
	return kinds
}

func (e *events) count(kind report.Kind) (count int) {
	for _, found := range e.kinds() {
		if found == kind {
			count++
		}
	}
	return count
}

// detail is the detail of the first event of a kind.
func (e *events) detail(kind report.Kind) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	i := slices.IndexFunc(e.all, func(event report.Event) bool { return event.Kind == kind })
	if i < 0 {
		return ""
	}
	return e.all[i].Detail
}

// obtain runs an order with a deadline that no working order comes near.
func obtain(t *testing.T, in ObtainInput) (*Certificate, *events, error) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 60*time.Second)
	defer stop()
	seen := &events{}
	certificate, err := Obtain(ctx, in, seen.report)
	return certificate, seen, err
}

func mustObtain(t *testing.T, ca *testca.Server, in ObtainInput) (*Certificate, *events) {
	t.Helper()
	certificate, seen, err := obtain(t, in)
	if err != nil {
		t.Fatal(err)
	}
	verify(t, ca, certificate, in.Identifiers)
	return certificate, seen
}

// verify checks the chain against the CA's root for every name.
func verify(t *testing.T, ca *testca.Server, certificate *Certificate, names []string) {
	t.Helper()
	chain, err := certcrypto.ParsePEMBundle([]byte(certificate.Leaf + certificate.Chain))
	if err != nil {
		t.Fatal(err)
	}
	options := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool()}
	options.Roots.AppendCertsFromPEM([]byte(ca.Info().Roots[0]))
	for _, issuer := range chain[1:] {
		options.Intermediates.AddCert(issuer)
	}
	if _, err := chain[0].Verify(options); err != nil {
		t.Error(err)
	}
	for _, name := range names {
		if err := chain[0].VerifyHostname(strings.Replace(name, "*", "any", 1)); err != nil {
			t.Error(err)
		}
	}
}

// portIsFree reports whether nothing of ours listens any more.
func portIsFree(port int) bool {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

func names(count int, domain string) []string {
	all := make([]string, count)
	for i := range all {
		all[i] = fmt.Sprintf("n%d.%s", i, domain)
	}
	return all
}

func wantProblem(t *testing.T, err error, kind string) {
	t.Helper()
	if !acme.Is(err, kind) {
		t.Errorf("not %s: %v", kind, err)
	}
}
