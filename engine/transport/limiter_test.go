package transport

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/time/rate"
)

// fill takes every place.
func fill(t *testing.T, l *limiter) {
	t.Helper()
	for range inFlight {
		if err := l.acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRequestsInFlightAreBounded(t *testing.T) {
	t.Parallel()
	l := limiterFor("bound.example")
	var now, most atomic.Int64
	var running sync.WaitGroup
	for range 200 {
		running.Go(func() {
			if err := l.acquire(t.Context()); err != nil {
				t.Error(err)
			}
			if count := now.Add(1); count > most.Load() {
				most.Store(count)
			}
			now.Add(-1)
			l.release()
		})
	}
	running.Wait()
	if most.Load() > inFlight {
		t.Error(most.Load())
	}
	fill(t, l)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.acquire(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestAHostHasOneLimiterHoweverItIsWritten(t *testing.T) {
	want := limiterFor(host("https://ca.example/directory"))
	for _, address := range []string{"https://CA.Example/directory", "https://ca.example:443/", "https://user@ca.example:?a=b"} {
		if limiterFor(host(address)) != want {
			t.Errorf("%s has one of its own", address)
		}
	}
	if limiterFor(host("https://ca.example:4430/")) == want {
		t.Error("another port is another server")
	}
}

func TestAPauseHoldsEveryoneBackAlsoThoseInLine(t *testing.T) {
	t.Parallel()
	l := limiterFor("pause.example")
	fill(t, l)
	const pause = 200 * time.Millisecond
	inLine := make(chan time.Time)
	go func() {
		_ = l.acquire(t.Context())
		inLine <- time.Now()
	}()
	// Whether it is in line by now or comes later, it has to wait.
	began := time.Now()
	l.pause(pause)
	l.pause(time.Millisecond) // a shorter one ends nothing
	l.release()
	if waited := (<-inLine).Sub(began); waited < pause {
		t.Error(waited)
	}
}

func TestAPauseIsCancellable(t *testing.T) {
	t.Parallel()
	l := limiterFor("cancel.example")
	l.pause(time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := l.acquire(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestAPauseThatTheDeadlineDoesNotAllowIsADeadlineAtOnce(t *testing.T) {
	t.Parallel()
	l := limiterFor("pause-beyond.example")
	l.pause(time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	began := time.Now()
	if err := l.acquire(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "pause") {
		t.Error(err)
	}
	if waited := time.Since(began); waited > 10*time.Second {
		t.Error(waited)
	}
}

func TestARateThatTheDeadlineDoesNotAllowIsADeadline(t *testing.T) {
	t.Parallel()
	l := limiterFor("rate.example")
	l.rate = rate.NewLimiter(rate.Every(time.Hour), 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := l.acquire(ctx); err != nil {
		t.Error(err)
	}
	if err := l.acquire(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestPublicCAsHaveTheirPublishedRates(t *testing.T) {
	t.Parallel()
	for host, limit := range map[string]rate.Limit{
		"acme-v02.api.letsencrypt.org": 18, "acme-v02.api.letsencrypt.org:443": 18, "acme.zerossl.com": 7,
		"127.0.0.1:14000": 0, "notletsencrypt.org": 0,
	} {
		l := limiterFor(host)
		if l != limiterFor(host) {
			t.Errorf("%s: two limiters", host)
		}
		if limit == 0 {
			limit = rate.Inf
		}
		if l.rate.Limit() != limit {
			t.Errorf("%s: %v", host, l.rate.Limit())
		}
	}
}
