//go:build unix

package providerhost

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"pylego/engine/fault"
)

func TestOrdersOfOneConfigShareAHostAndOthersDoNot(t *testing.T) {
	p := newPool(t)
	a := acquire(t, p, Config{Provider: "fake", Environment: []string{"A=1"}})
	b := acquire(t, p, Config{Provider: "fake", Environment: []string{"A=1"}})
	c := acquire(t, p, Config{Provider: "fake", Environment: []string{"A=2"}})
	if a.host != b.host || a.host == c.host {
		t.Error("wrong hosts are shared")
	}
}

func TestAHostOutlivesItsLastOrderAWhile(t *testing.T) {
	p := newPool(t)
	p.idle = 500 * time.Millisecond // longer than a busy machine takes from one order to the next
	first := ready(t, acquire(t, p, Config{Provider: "fake"}))
	first.Release()
	first.Release() // twice is once
	second := acquire(t, p, Config{Provider: "fake"})
	if second.host != first.host {
		t.Error("a new host for the next order")
	}
	// Longer than idle, with an order in it: it stays.
	select {
	case <-second.host.ended:
		t.Fatal("ended with an order in it")
	case <-time.After(2 * p.idle):
	}
	second.Release()
	within(t, "the end of the idle host", second.host.ended)
	if second.host.status != "ended with code 0" {
		t.Error(second.host.status)
	}
}

func TestAnOldHostTakesNoNewOrders(t *testing.T) {
	p := newPool(t)
	p.maxAge = 0
	first, second := acquire(t, p, Config{Provider: "fake"}), acquire(t, p, Config{Provider: "fake"})
	if first.host == second.host {
		t.Error("shared")
	}
	ready(t, first).Release()
	within(t, "the end of the old host", first.host.ended)
}

// Between the end of its pipe and that of its process nobody is to get a host: a
// clean-up that looks for another one would have got the dead one again.
func TestAHostThatHasGoneTakesNoNewOrders(t *testing.T) {
	p := newPool(t)
	first := ready(t, acquire(t, p, Config{Provider: "fake"}))
	first.host.process.answers.Close()
	within(t, "the end of the pipe", first.host.connection.closed)
	second := ready(t, acquire(t, p, Config{Provider: "fake"}))
	if second.host == first.host || !second.Alive() {
		t.Error("the dead host is given to another order")
	}
}

func TestAStartNobodyWaitsForIsCancelledAndOneStillWantedIsNot(t *testing.T) {
	p := newPool(t)
	config := Config{Provider: "constructor-hangs", Environment: []string{"MARK=shared"}}
	first, second := acquire(t, p, config), acquire(t, p, config)
	logs.wait(t, "constructor hangs shared")
	first.Release()
	select {
	case <-second.host.ended:
		t.Fatal("killed although an order waits")
	default:
	}
	second.Release()
	within(t, "the end of the host", second.host.ended)
}

func TestAHangingCallSparesTheRecordsOfOthers(t *testing.T) {
	p := newPool(t)
	hanging, other := ready(t, acquire(t, p, Config{Provider: "fake"})), acquire(t, p, Config{Provider: "fake"})
	if err := other.Present(context10s(t), "other.example", "t", "k"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { logs.wait(t, "hangs hang.spares"); cancel() }()
	if err := hanging.Present(ctx, "hang.spares", "t", "k"); !Gone(err) {
		t.Fatal(err)
	}
	hanging.Release()
	if acquire(t, p, Config{Provider: "fake"}).host == other.host {
		t.Error("the host takes new orders")
	}
	if err := other.CleanUp(context10s(t), "other.example", "t", "k"); err != nil {
		t.Error("the other order's record was lost:", err)
	}
	within(t, "the end of the host, which has no record any more", other.host.ended)
}

func TestTheLimitIsALineThatCanBeLeft(t *testing.T) {
	p := newPool(t)
	p.limit = 2
	config := func(n int) Config { return Config{Provider: "fake", Environment: []string{fmt.Sprint("N=", n)}} }
	one, two := acquire(t, p, config(1)), acquire(t, p, config(2))

	ctx, cancel := context.WithCancel(t.Context())
	_, err := p.AcquireAll(ctx, cancel, config(3))
	var typed *fault.Error
	if !errors.As(err, &typed) || typed.Code != fault.Cancelled {
		t.Fatal(err)
	}

	// Two at once, or none: the order must not hold one and wait for the other.
	inLine := make(chan struct{})
	granted := make(chan []*Lease)
	go func() {
		leases, err := p.AcquireAll(context10s(t), func() { close(inLine) }, config(4), config(5), config(4))
		if err != nil {
			t.Error(err)
		}
		granted <- leases
	}()
	<-inLine
	if again := acquire(t, p, config(1)); again.host != one.host {
		t.Error("who needs no new host has to wait")
	} else {
		again.Release()
	}
	ready(t, one).Release() // idle now, and ended to make room
	select {
	case <-granted:
		t.Fatal("granted with one place")
	case <-one.host.ended:
	}
	two.Release()
	leases := <-granted
	if leases[0].host != leases[2].host || leases[0].host == leases[1].host {
		t.Error("wrong hosts")
	}
	for _, lease := range leases {
		lease.Release()
	}

	if _, err := p.AcquireAll(t.Context(), nil, config(1), config(2), config(3)); err == nil {
		t.Error("more than can ever be")
	}
}

func TestManyOrdersAtOnceStayWithinTheLimit(t *testing.T) {
	p := newPool(t)
	p.limit = 3
	var orders sync.WaitGroup
	for n := range 24 {
		orders.Go(func() {
			lease, err := p.Acquire(context10s(t), Config{Provider: "fake", Environment: []string{fmt.Sprint("N=", n%6)}})
			if err != nil {
				t.Error(err)
				return
			}
			defer lease.Release()
			p.mu.Lock()
			if len(p.alive) > p.limit {
				t.Error(len(p.alive), "alive")
			}
			p.mu.Unlock()
			domain := fmt.Sprintf("ok.%d.example", n)
			if err := lease.Present(context10s(t), domain, "t", "k"); err != nil {
				t.Error(err)
			}
			if err := lease.CleanUp(context10s(t), domain, "t", "k"); err != nil {
				t.Error(err)
			}
		})
	}
	orders.Wait()
}

func TestCloseEndsHostsThatHang(t *testing.T) {
	p := newPool(t)
	lease := ready(t, acquire(t, p, Config{Provider: "fake"}))
	failed := make(chan error, 1)
	go func() { failed <- lease.Present(context10s(t), "hang.close", "t", "k") }()
	logs.wait(t, "hangs hang.close")
	hanging := acquire(t, p, Config{Provider: "constructor-hangs", Environment: []string{"MARK=close"}})
	logs.wait(t, "constructor hangs close")
	p.Close()
	if err := <-failed; !Gone(err) {
		t.Error(err)
	}
	if _, err := hanging.Ready(context10s(t)); err == nil {
		t.Error("ready")
	}
	if len(p.alive) != 0 || len(p.hosts) != 0 {
		t.Error("hosts are left")
	}
}
