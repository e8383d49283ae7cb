package responder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// connect opens a connection that says nothing, from an address of loopback.
func connect(t *testing.T, port int, from string) net.Conn {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 5 * time.Second}
	connection, err := dialer.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	return connection
}

// isReset waits for the server to drop a connection.
func isReset(t *testing.T, connection net.Conn) {
	t.Helper()
	_ = connection.SetReadDeadline(time.Now().Add(connectionTime / 2)) // before its own time is over
	if _, err := connection.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("not dropped: %v", err)
	}
}

func TestAFullHouseAnswersTheNextOne(t *testing.T) {
	port := freePort(t)
	answer := answerFor("a.example", "token")
	for _, s := range []*Solver{HTTP01("127.0.0.1", port, ""), TLSALPN01("127.0.0.1", port)} {
		present(t, s, answer)
		oldest := connect(t, port, "127.0.0.1")
		for range maxConnections + perAnswer {
			connect(t, port, "127.0.0.1")
		}
		isReset(t, oldest)
		if s.Type() == "http-01" {
			if status, _ := ask(t, port, "GET", "a.example", challengePath+"token"); status != 200 {
				t.Error(status)
			}
		} else if _, err := handshake(port, "a.example", acmeTLS); err != nil {
			t.Error(err)
		}
		s.Release()
	}
}

func TestThereIsRoomForTheValidationsOfManyOrders(t *testing.T) {
	port := freePort(t)
	s := HTTP01("127.0.0.1", port, "")
	const orders = 100
	for i := range orders {
		present(t, s, answerFor("a.example", "token"+strconv.Itoa(i)))
	}
	oldest := connect(t, port, "127.0.0.1")
	for range maxConnections + perAnswer*orders - 2 {
		connect(t, port, "127.0.0.1")
	}
	_, _ = io.WriteString(oldest, "GET "+challengePath+"token0 HTTP/1.1\r\nHost: a.example\r\n\r\n")
	body, err := io.ReadAll(oldest)
	if err != nil || !strings.Contains(string(body), "token0.") {
		t.Errorf("%q %v", body, err)
	}
}

func TestAFloodPushesOutOnlyItself(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs a second address of loopback")
	}
	port := freePort(t)
	s := HTTP01("127.0.0.1", port, "")
	present(t, s, answerFor("a.example", "token"))
	slow := connect(t, port, "127.0.0.1") // a CA far away, whose request is still on its way
	first := connect(t, port, "127.0.0.2")
	for range 2 * maxConnections {
		connect(t, port, "127.0.0.2")
	}
	isReset(t, first)
	_, _ = io.WriteString(slow, "GET "+challengePath+"token HTTP/1.1\r\nHost: a.example\r\n\r\n")
	_ = slow.SetReadDeadline(time.Now().Add(5 * time.Second))
	body, err := io.ReadAll(slow)
	if err != nil || !strings.Contains(string(body), "token.thumbprint") {
		t.Errorf("%q, %v", body, err)
	}
}

func TestAnEndlessHeaderIsCutOff(t *testing.T) {
	port := freePort(t)
	s := HTTP01("127.0.0.1", port, "")
	present(t, s, answerFor("a.example", "token"))
	connection := connect(t, port, "127.0.0.1")
	_ = connection.SetDeadline(time.Now().Add(5 * time.Second))
	header := strings.Repeat("X-Padding: "+strings.Repeat("x", 1000)+"\r\n", 1024)
	_, err := io.WriteString(connection, "GET / HTTP/1.1\r\nHost: a.example\r\n"+header+"\r\n")
	if err == nil {
		_, err = io.ReadAll(connection)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("1 MB of header is listened to")
	}
}

func TestConnectionsOfOneNetworkAreOnePlace(t *testing.T) {
	for address, place := range map[string]string{
		"192.0.2.1": "192.0.2.1", "2001:db8::1": "2001:db8::", "2001:db8::2": "2001:db8::", "2001:db8:0:1::1": "2001:db8:0:1::",
	} {
		if found := placeOf(&net.TCPAddr{IP: net.ParseIP(address), Port: 1}); found != place {
			t.Errorf("%s: %s", address, found)
		}
	}
	if found := placeOf(&net.UnixAddr{Name: "socket"}); found != "socket" {
		t.Error(found)
	}
}

func TestACrowdForgetsWhoHasGone(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	c := &crowd{Listener: listener, most: func() int { return 2 }}
	port := listener.Addr().(*net.TCPAddr).Port
	var accepted []net.Conn
	for range 3 {
		connect(t, port, "127.0.0.1")
		connection, err := c.Accept()
		if err != nil {
			t.Fatal(err)
		}
		accepted = append(accepted, connection)
	}
	for range 2 { // also the one that was dropped, and again
		for _, connection := range accepted {
			_ = connection.Close()
		}
	}
	if len(c.open) != 0 {
		t.Errorf("%d are kept", len(c.open))
	}
}
