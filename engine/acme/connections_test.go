package acme

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pylego/engine/fault"
	"pylego/engine/testca"
	"pylego/engine/transport"
)

func startCA(t *testing.T, config testca.Config) (*testca.Server, transport.Config) {
	t.Helper()
	ca, err := testca.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ca.Close() })
	return ca, transport.Config{Trust: transport.Trust{PEM: ca.Info().TrustRoot, NoSystem: true}}
}

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func connect(t *testing.T, url string, config transport.Config) *Server {
	t.Helper()
	server, done, err := Connect(t.Context(), url, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(done)
	return server
}

func TestTheDirectoryIsFetchedOnceForAll(t *testing.T) {
	ca, config := startCA(t, testca.Config{})
	var running sync.WaitGroup
	for range 64 {
		running.Go(func() { connect(t, ca.Info().Directory, config) })
	}
	running.Wait()
	if asked := ca.Requests()["directory"]; asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	config.UserAgent = "another"
	connect(t, ca.Info().Directory, config)
	if asked := ca.Requests()["directory"]; asked != 2 {
		t.Errorf("another configuration is another connection: asked %d times", asked)
	}
}

func TestAKeyIsRegisteredOnceByAll(t *testing.T) {
	ca, config := startCA(t, testca.Config{})
	server, key := connect(t, ca.Info().Directory, config), newKey(t)
	var running sync.WaitGroup
	urls := make([]string, 64)
	for i := range urls {
		running.Go(func() {
			account, err := server.Account(t.Context(), key, "", Registration{TermsAgreed: true})
			if err != nil {
				t.Error(err)
				return
			}
			urls[i] = account.URL
		})
	}
	running.Wait()
	if asked := ca.Requests()["newAccount"]; asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	for _, url := range urls {
		if url != urls[0] || url == "" {
			t.Errorf("%q", urls)
			break
		}
	}
}

func TestAFailedDialIsNotKept(t *testing.T) {
	ca, config := startCA(t, testca.Config{})
	for _, wrong := range []testca.Faults{
		{Status: 404, StatusCount: 1, Path: "directory"}, {Status: 429, StatusCount: 1, RetryAfter: "3600", Path: "directory"},
	} {
		if err := ca.SetFaults(wrong); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Connect(t.Context(), ca.Info().Directory, config); err == nil {
			t.Error("connected")
		}
		connections.Lock()
		if kept := connections.byKey[ca.Info().Directory+" "+config.Fingerprint()]; kept != nil {
			t.Errorf("%+v", kept)
		}
		connections.Unlock()
	}
}

func TestAnotherJobsCancelledDialIsNotOurs(t *testing.T) {
	ca, config := startCA(t, testca.Config{})
	if err := ca.SetFaults(testca.Faults{DelayMS: 1000, Path: "directory"}); err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	for i := range 16 {
		running.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if i%2 == 0 {
				ctx, cancel = context.WithTimeout(t.Context(), time.Duration(i+1)*time.Millisecond)
			}
			defer cancel()
			_, done, err := Connect(ctx, ca.Info().Directory, config)
			if (err == nil) != (i%2 == 1) {
				t.Errorf("%d: %v", i, err)
			}
			if err == nil {
				done()
			}
		})
	}
	running.Wait()
}

func TestAnIdleConnectionIsClosed(t *testing.T) {
	for _, byTime := range []bool{true, false} {
		closed := make(chan struct{})
		var once sync.Once
		server := httptest.NewUnstartedServer(nil)
		server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, `{"newNonce": "%[1]s/n", "newAccount": "%[1]s/a", "newOrder": "%[1]s/o"}`, server.URL)
		})
		server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateClosed {
				once.Do(func() { close(closed) })
			}
		}
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.StartTLS()
		root := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
		if byTime {
			idleTime = time.Millisecond
		}
		_, done, err := Connect(t.Context(), server.URL, transport.Config{Trust: transport.Trust{PEM: root, NoSystem: true}})
		if err != nil {
			t.Fatal(err)
		}
		done()
		done() // once is enough
		idleTime = time.Minute
		if !byTime {
			CloseIdle()
		}
		select {
		case <-closed:
		case <-time.After(20 * time.Second):
			t.Error("still open")
		}
		server.Close()
	}
}

// TestNobodyWaitsForANonceThatAnotherTook has the server answer newNonce but
// nothing else: a request can only go on with the nonce it asked for.
func TestNobodyWaitsForANonceThatAnotherTook(t *testing.T) {
	var last atomic.Int64
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Replay-Nonce", fmt.Sprint(last.Add(1)))
	}))
	defer server.Close()
	root := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	client, err := transport.New(transport.Config{Trust: transport.Trust{PEM: root, NoSystem: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	pool := &nonces{client: client, url: func() string { return server.URL }}
	var running sync.WaitGroup
	var seen sync.Map
	for range 200 {
		running.Go(func() {
			nonce, err := pool.take(ctx)
			if _, twice := seen.LoadOrStore(nonce, true); err != nil || twice {
				t.Errorf("%q: %v", nonce, err)
			}
		})
	}
	running.Wait()
}

func TestTheNoncePoolIsBounded(t *testing.T) {
	pool := &nonces{}
	for i := range 10 * maxNonces {
		pool.keep(http.Header{"Replay-Nonce": {fmt.Sprint(i)}})
	}
	if len(pool.kept) != maxNonces {
		t.Error(len(pool.kept))
	}
}

func TestWaitingForAnotherJobsRegistrationEndsWithTheContext(t *testing.T) {
	ca, config := startCA(t, testca.Config{})
	server, key := connect(t, ca.Info().Directory, config), newKey(t)
	thumbprint, err := Thumbprint(key)
	if err != nil {
		t.Fatal(err)
	}
	server.slot(thumbprint).lock <- struct{}{} // another job registers the key, and hangs
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := server.Account(ctx, key, "", Registration{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	forgotten := make(chan struct{})
	go func() {
		server.Forget(ctx, &Account{Server: server, thumbprint: thumbprint})
		close(forgotten)
	}()
	select {
	case <-forgotten:
	case <-time.After(10 * time.Second):
		t.Error("Forget waits for ever")
	}
}

func TestADirectoryThatDoesNotAnswerIsNamed(t *testing.T) {
	hanging := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	hanging.StartTLS()
	defer hanging.Close()
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: hanging.Certificate().Raw})
	config := transport.Config{Trust: transport.Trust{PEM: string(root), NoSystem: true}}
	var running sync.WaitGroup
	for range 20 { // one asks, the others wait for it
		running.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			_, _, err := Connect(ctx, hanging.URL, config)
			if !errors.Is(err, context.DeadlineExceeded) || fault.CodeOf(err, "") != fault.DeadlineExceeded {
				t.Errorf("%v", err)
			}
		})
	}
	running.Wait()
}
