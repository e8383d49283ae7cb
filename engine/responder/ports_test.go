package responder

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

func hold(t *testing.T, port int) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

func TestABusyPortIsWaitedForAndNamed(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	port := listener.Addr().(*net.TCPAddr).Port
	began := time.Now()
	err = HTTP01("127.0.0.1", port, "").Prepare(t.Context())
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("127.0.0.1:%d", port)) || !strings.Contains(err.Error(), "another program") {
		t.Errorf("%v", err)
	}
	if took := time.Since(began); took < busyFor {
		t.Errorf("gave up after %v", took)
	}
}

func TestAPortFreedMeanwhileIsTaken(t *testing.T) {
	port := freePort(t)
	listener := hold(t, port)
	s := HTTP01("127.0.0.1", port, "")
	defer s.Release()
	ready := make(chan error)
	go func() { ready <- s.Prepare(t.Context()) }()
	_ = listener.Close()
	if err := <-ready; err != nil {
		t.Error(err)
	}
}

func TestWaitingForAPortEndsWithTheContext(t *testing.T) {
	port := freePort(t)
	hold(t, port)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := HTTP01("127.0.0.1", port, "").Prepare(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestAnotherOrdersDeadlineIsNotOurs(t *testing.T) {
	port := freePort(t)
	listener := hold(t, port)
	var patient, hasty sync.WaitGroup
	for i := range 8 {
		hasty.Go(func() { // these give up while the port is busy
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(2*i)*time.Millisecond)
			defer cancel()
			s := HTTP01("127.0.0.1", port, "")
			defer s.Release()
			if err := s.Prepare(ctx); err == nil {
				t.Errorf("%d listens where another does", i)
			}
		})
		patient.Go(func() {
			s := HTTP01("127.0.0.1", port, "")
			defer s.Release()
			if err := s.Prepare(t.Context()); err != nil {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	hasty.Wait()
	_ = listener.Close()
	patient.Wait()
	hold(t, port)
}

func TestTheLastOneClosesThePort(t *testing.T) {
	port := freePort(t)
	var solvers []*Solver
	for range 64 {
		s := HTTP01("127.0.0.1", port, "")
		if err := s.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		solvers = append(solvers, s)
	}
	for i, s := range solvers {
		if _, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err != nil {
			t.Fatalf("closed after %d of 64", i)
		}
		s.Release()
		s.Release()
	}
	hold(t, port)
}
