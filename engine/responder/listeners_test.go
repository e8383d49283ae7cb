package responder

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	legoacme "github.com/go-acme/lego/v5/acme"

	"pylego/engine/acme"
)

// freePort finds a port below the ephemeral ones, which a connection could take.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := 11000 + rand.IntN(4000)
		if listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			_ = listener.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

func answerFor(name, token string) acme.Answer {
	kind := "dns"
	if net.ParseIP(name) != nil {
		kind = "ip"
	}
	return acme.Answer{Identifier: legoacme.Identifier{Type: kind, Value: name}, Token: token, KeyAuthorization: token + ".thumbprint"}
}

func present(t *testing.T, s *Solver, answers ...acme.Answer) {
	t.Helper()
	t.Cleanup(s.Release)
	for _, answer := range answers {
		if err := s.Present(t.Context(), answer); err != nil {
			t.Fatal(err)
		}
	}
}

// ask sends one HTTP-01 request and returns its status and body.
func ask(t *testing.T, port int, method, host, path string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, fmt.Sprintf("http://127.0.0.1:%d%s", port, path), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = host
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

func TestHTTP01AnswersNothingElse(t *testing.T) {
	port := freePort(t)
	s := HTTP01("127.0.0.1", port, "")
	answer := answerFor("a.example", "token-1")
	present(t, s, answer, answerFor("127.0.0.1", "token-2"), answerFor("::1", "token-3"))
	for _, test := range []struct {
		method, host, path string
		status             int
	}{
		{"GET", "a.example", challengePath + "token-1", 200},
		{"GET", "A.Example.:80", challengePath + "token-1", 200},
		{"HEAD", "a.example", challengePath + "token-1", 200},
		{"GET", "127.0.0.1", challengePath + "token-2", 200},
		{"GET", "[::1]", challengePath + "token-3", 200},
		{"GET", "[::1]:80", challengePath + "token-3", 200},
		{"GET", "b.example", challengePath + "token-1", 404},
		{"GET", "127.0.0.1", challengePath + "token-1", 404},
		{"GET", "a.example", challengePath + "token-2", 404},
		{"GET", "a.example", challengePath, 404},
		{"GET", "a.example", "/token-1", 404},
		{"DELETE", "a.example", challengePath + "token-1", 404},
		{"POST", "a.example", challengePath + "token-1", 404},
	} {
		status, body := ask(t, port, test.method, test.host, test.path)
		if status != test.status || strings.Contains(body, "thumbprint") != (status == 200 && test.method == "GET") {
			t.Errorf("%+v: %d %q", test, status, body)
		}
	}
	if err := s.CleanUp(t.Context(), answer); err != nil {
		t.Error(err)
	}
	if status, _ := ask(t, port, "GET", "a.example", challengePath+"token-1"); status != 404 {
		t.Error("a token that was cleaned up is served")
	}
}

func TestEachRequestForAnAnswerIsSeen(t *testing.T) {
	port := freePort(t)
	s := HTTP01("127.0.0.1", port, "")
	answer := answerFor("a.example", "token")
	present(t, s, answer)
	seen := s.Seen(answer)
	for range 3 {
		ask(t, port, "GET", "a.example", challengePath+"token")
		<-seen
	}
	ask(t, port, "GET", "b.example", challengePath+"token")
	select {
	case <-seen:
		t.Error("a stranger's request was seen")
	default:
	}
}

func TestAnAnswerOfTwoOrdersStaysUntilBothCleanUp(t *testing.T) {
	port := freePort(t)
	answer := answerFor("a.example", "token")
	first, second := HTTP01("127.0.0.1", port, ""), HTTP01("127.0.0.1", port, "")
	present(t, first, answer)
	present(t, second, answer)
	for _, want := range []int{200, 404} {
		_ = first.CleanUp(t.Context(), answer)
		_ = first.CleanUp(t.Context(), answer) // a second time is not the other's turn
		if status, _ := ask(t, port, "GET", "a.example", challengePath+"token"); status != want {
			t.Errorf("%d, not %d", status, want)
		}
		first = second
	}
}

// handshake asks as a CA does, and returns the certificate's names.
func handshake(port int, name string, protocols ...string) ([]string, error) {
	config := &tls.Config{ServerName: name, NextProtos: protocols, InsecureSkipVerify: true} // it is self-signed: RFC 8737 section 3
	connection, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port), config)
	if err != nil {
		return nil, err
	}
	defer func() { _ = connection.Close() }()
	state := connection.ConnectionState()
	if state.NegotiatedProtocol != acmeTLS {
		return nil, errors.New("negotiated " + state.NegotiatedProtocol)
	}
	return state.PeerCertificates[0].DNSNames, nil
}

func TestTLSALPN01SpeaksNothingElse(t *testing.T) {
	port := freePort(t)
	s := TLSALPN01("127.0.0.1", port)
	answer := answerFor("a.example", "token")
	present(t, s, answer, answerFor("127.0.0.1", "token-2"))
	seen := s.Seen(answer)
	for _, name := range []string{"a.example", "A.Example", "1.0.0.127.in-addr.arpa"} {
		if _, err := handshake(port, name, acmeTLS); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	<-seen
	for _, refused := range [][]string{{"a.example"}, {"a.example", "h2", "http/1.1"}, {"b.example", acmeTLS}, {"", acmeTLS}} {
		if _, err := handshake(port, refused[0], refused[1:]...); err == nil {
			t.Errorf("%q was answered", refused)
		}
	}
}

func TestTwoAnswersOfOneNameTakeTurns(t *testing.T) {
	port := freePort(t)
	first, second := answerFor("a.example", "first"), answerFor("a.example", "second")
	s, other := TLSALPN01("127.0.0.1", port), TLSALPN01("127.0.0.1", port)
	present(t, s, first)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := other.Present(ctx, second); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	presented := make(chan error)
	go func() { presented <- other.Present(t.Context(), second) }()
	_ = s.CleanUp(t.Context(), first)
	if err := <-presented; err != nil {
		t.Error(err)
	}
	other.Release()
}

func TestGivingUpLeavesAnotherOrdersSameAnswer(t *testing.T) {
	port := freePort(t)
	answer := answerFor("a.example", "token") // the CA gave both orders one authorization
	s, other := TLSALPN01("127.0.0.1", port), TLSALPN01("127.0.0.1", port)
	present(t, s, answer)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := other.Present(ctx, answer); err == nil {
		t.Error("presented twice")
	}
	_ = other.CleanUp(t.Context(), answer)
	other.Release()
	if _, err := handshake(port, "a.example", acmeTLS); err != nil {
		t.Error(err)
	}
}

// failing is a listener whose first Accept fails as where no descriptor is left.
type failing struct {
	net.Listener
	once sync.Once
}

func (f *failing) Accept() (connection net.Conn, err error) {
	f.once.Do(func() { err = &net.OpError{Op: "accept", Err: syscall.EMFILE} })
	if err != nil {
		return nil, err
	}
	return f.Listener.Accept()
}

func TestARefusedAcceptDoesNotEndTheServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	answers := newTLSAnswers()
	if err := answers.add(t.Context(), answerFor("a.example", "token"), ""); err != nil {
		t.Fatal(err)
	}
	defer answers.serve(&failing{Listener: listener})()
	config := &tls.Config{ServerName: "a.example", NextProtos: []string{acmeTLS}, InsecureSkipVerify: true}
	dialer := &tls.Dialer{NetDialer: &net.Dialer{Timeout: 5 * time.Second}, Config: config}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	connection, err := dialer.DialContext(ctx, "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = connection.Close()
}

func TestAListenerMayKeepToOneVersionOfIP(t *testing.T) {
	if listener, err := net.Listen("tcp6", "[::1]:0"); err != nil {
		t.Skip("there is no IPv6 here")
	} else {
		_ = listener.Close()
	}
	for version, others := range map[int][]string{0: nil, 4: {"::1"}, 6: {"127.0.0.1"}} {
		port := freePort(t)
		present(t, HTTP01("", port, "").Over(version), answerFor("a.example", "token-1"))
		for _, address := range []string{"127.0.0.1", "::1"} {
			connection, err := net.Dial("tcp", net.JoinHostPort(address, strconv.Itoa(port)))
			if err == nil {
				_ = connection.Close()
			}
			if reached := err == nil; reached == slices.Contains(others, address) {
				t.Errorf("over version %d %s is reached: %v", version, address, reached)
			}
		}
	}
}
