package transport

import (
	"cmp"
	"context"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"pylego/engine/fault"
	"pylego/engine/system"
)

const (
	inFlight = 32
	// NewNonceInFlight bounds the newNonce requests to one host.
	NewNonceInFlight = 4
)

// requestsPerSecond are the public CAs' published limits, as lego notes them.
// A CA that is not named here is private and sets its own pace by answering 429.
var requestsPerSecond = map[string]rate.Limit{
	"letsencrypt.org": 18,
	"zerossl.com":     7,
}

// limiter is shared by every job of this process that talks to one host.
type limiter struct {
	rate     *rate.Limiter
	slots    chan struct{}
	newNonce chan struct{}

	mu     sync.Mutex
	paused time.Time
}

var limiters sync.Map // host -> *limiter

func limiterFor(host string) *limiter {
	if found, ok := limiters.Load(host); ok {
		return found.(*limiter)
	}
	fresh := &limiter{
		slots:    make(chan struct{}, inFlight),
		newNonce: make(chan struct{}, NewNonceInFlight),
	}
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	for suffix, limit := range requestsPerSecond {
		if name == suffix || strings.HasSuffix(name, "."+suffix) {
			fresh.rate = rate.NewLimiter(limit, int(limit))
		}
	}
	found, _ := limiters.LoadOrStore(host, fresh)
	return found.(*limiter)
}

// acquire waits for a place among the requests in flight, for the rate, and for
// the end of a pause that the CA has asked for.
func (l *limiter) acquire(ctx context.Context) error {
	for {
		if err := l.pauseWithin(ctx); err != nil {
			return err
		}
		if err := system.Sleep(ctx, l.pausedFor()); err != nil {
			return err
		}
		if err := l.inTime(ctx); err != nil {
			return err
		}
		select {
		case l.slots <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		if l.pausedFor() <= 0 {
			return nil
		}
		l.release() // the pause began while we were in line
	}
}

// inTime waits for the rate. Where that would take longer than the caller has,
// rate says so at once, in an error of its own.
func (l *limiter) inTime(ctx context.Context) error {
	if l.rate == nil {
		return nil
	}
	if err := l.rate.Wait(ctx); err != nil {
		return cmp.Or(ctx.Err(), context.DeadlineExceeded)
	}
	return nil
}

// pauseWithin is an error where the pause lasts longer than the caller's time.
func (l *limiter) pauseWithin(ctx context.Context) error {
	pause := l.pausedFor()
	if deadline, set := ctx.Deadline(); set && pause > time.Until(deadline) {
		return fault.Interrupted(context.DeadlineExceeded, "the CA has asked for a pause, of which %s are left", pause.Round(time.Second))
	}
	return nil
}

func (l *limiter) pausedFor() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Until(l.paused)
}

func (l *limiter) release() { <-l.slots }

// pause holds every job's requests to this host back (RFC 8555 section 6.6).
func (l *limiter) pause(wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until := time.Now().Add(wait); until.After(l.paused) {
		l.paused = until
	}
}
