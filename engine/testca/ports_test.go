package testca

import (
	"net"
	"strconv"
	"testing"
)

func TestAPortThatOneServerWasToldIsToldToNoOtherThoughNobodyListens(t *testing.T) {
	t.Parallel()

	first, err := reservePort()
	if err != nil {
		t.Fatal(err)
	}

	// A reservation is known to the system alone: so it is one for other processes too.
	if _, err := reserve(first.port); err == nil {
		t.Errorf("port %d is reserved twice", first.port)
	}

	listener, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(first.port)))
	if err != nil {
		t.Fatalf("a responder cannot listen: %v", err)
	}

	if err := first.mark.Close(); err != nil {
		t.Fatal(err)
	}

	if _, err := reserve(first.port); err == nil {
		t.Error("a port on which somebody listens is reserved")
	}

	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}

	again, err := reserve(first.port)
	if err != nil {
		t.Fatalf("what was given back is kept: %v", err)
	}

	_ = again.mark.Close()
}
