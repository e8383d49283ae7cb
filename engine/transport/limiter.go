package transport

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"pylego/engine/fault"
	"pylego/engine/system"
)

// limiter is shared by every job of this process that talks to one host.
type limiter struct {
	host      string
	rate      *rate.Limiter
	requests  line // in flight
	newNonce  line
	newOrders *pace
	orders    line // in flight

	mu     sync.Mutex
	paused time.Time
}

var limiters sync.Map // host -> *limiter

func limiterFor(host string) *limiter {
	if found, ok := limiters.Load(host); ok {
		return found.(*limiter)
	}
	fresh := &limiter{
		host:      host,
		rate:      rate.NewLimiter(rate.Inf, 1),
		newNonce:  line{size: NewNonceInFlight},
		newOrders: newPace(Frequency{}),
		orders:    line{size: NoLimit},
	}
	fresh.set(limitsOf(host))
	found, _ := limiters.LoadOrStore(host, fresh)
	return found.(*limiter)
}

// Limit sets the limits of a server, for every job of this process.
func Limit(address string, limits Limits) {
	if limits != (Limits{}) {
		limiterFor(host(address)).set(limits)
	}
}

// Forget drops a server's limits and pauses: what comes to its address is another.
func Forget(address string) { limiters.Delete(host(address)) }

func (l *limiter) set(limits Limits) {
	if limits.NewOrders != (Frequency{}) {
		l.newOrders.set(limits.NewOrders)
	}
	switch perSecond := limits.RequestsPerSecond; {
	case perSecond == NoLimit:
		l.rate.SetLimit(rate.Inf)
	case perSecond > 0:
		l.rate.SetBurst(max(1, int(min(perSecond, maxCount))))
		l.rate.SetLimit(rate.Limit(perSecond))
	}
	if limits.RequestsInFlight != 0 {
		l.requests.resize(limits.RequestsInFlight)
	}
	if limits.OrdersInFlight != 0 {
		l.orders.resize(limits.OrdersInFlight)
	}
}

// Order waits until the limits let another order in. waiting is told why, and how
// long where that is known. Call done when the order has ended.
func (c *Client) Order(ctx context.Context, address string, waiting func(why string, wait time.Duration)) (done func(), err error) {
	l := limiterFor(host(address))
	err = l.orders.enter(ctx, func() { waiting("as many orders as are allowed at once are on their way to "+l.host, 0) })
	if err != nil {
		return nil, l.inLine(err)
	}
	err = l.newOrders.pass(ctx, func(wait time.Duration) { waiting("new orders for "+l.host+" are limited", wait) })
	if err != nil {
		l.orders.leave()
		return nil, l.inLine(err)
	}
	return sync.OnceFunc(l.orders.leave), nil
}

func (l *limiter) inLine(err error) error {
	return fault.Interrupted(err, "%s", fmt.Sprintf("the order was still in line for %s, as its limits ask; nothing was sent", l.host))
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
		if err := l.requests.enter(ctx, unheard); err != nil {
			return err
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

func (l *limiter) release() { l.requests.leave() }

// pause holds every job's requests to this host back (RFC 8555 section 6.6).
func (l *limiter) pause(wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if until := time.Now().Add(wait); until.After(l.paused) {
		l.paused = until
	}
}
