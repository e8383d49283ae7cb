package providerhost

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"pylego/engine/fault"
)

// Pool has the hosts of this process. Orders of equal Config share one.
type Pool struct {
	limit  int           // of hosts alive
	idle   time.Duration // for which a host outlives its last order
	maxAge time.Duration // after which it takes no new orders

	mu    sync.Mutex
	hosts map[string]*host // by key: those that take orders
	alive map[*host]struct{}
	line  []*waiter
}

// waiter is an order in line for hosts.
type waiter struct {
	configs []Config
	keys    []string
	granted chan []*Lease
}

// NewPool makes a pool of its own; nearly everything uses Shared.
func NewPool() *Pool {
	return &Pool{
		limit:  16,
		idle:   5 * time.Second,
		maxAge: time.Minute,
		hosts:  map[string]*host{},
		alive:  map[*host]struct{}{},
	}
}

// Shared is the pool of this process.
var Shared = sync.OnceValue(NewPool)

// Acquire gets a share of one host; see AcquireAll.
func (p *Pool) Acquire(ctx context.Context, config Config) (*Lease, error) {
	leases, err := p.AcquireAll(ctx, nil, config)
	if err != nil {
		return nil, err
	}
	return leases[0], nil
}

// AcquireAll gets a share of a host for each config, in their order. It starts
// those that do not run, and does not wait for them: Lease.Ready does. An order
// takes all it needs at once, for two that each held what the other lacks would
// wait for ever. waiting, if any, is called when it has to stand in line.
func (p *Pool) AcquireAll(ctx context.Context, waiting func(), configs ...Config) ([]*Lease, error) {
	w := &waiter{configs: configs, granted: make(chan []*Lease, 1)}
	for _, config := range configs {
		if err := config.check(); err != nil {
			return nil, err
		}
		w.keys = append(w.keys, config.hostKey())
	}
	if needed := distinct(w.keys); needed > p.limit {
		return nil, fault.New(fault.DNSProviderFailed,
			"the order needs %d different DNS providers or credentials at once; at most %d can run", needed, p.limit)
	}
	if err := ctx.Err(); err != nil {
		return nil, contextFault(err, "no DNS provider was started")
	}

	p.mu.Lock()
	// Who needs no new host passes the line: nobody waits longer for it.
	if len(p.line) == 0 || len(p.missing(w.keys)) == 0 {
		if leases := p.grant(w); leases != nil {
			p.mu.Unlock()
			return leases, nil
		}
	}
	p.line = append(p.line, w)
	p.mu.Unlock()
	if waiting != nil {
		waiting()
	}
	select {
	case leases := <-w.granted:
		return leases, nil
	case <-ctx.Done():
		p.leave(w)
		return nil, contextFault(ctx.Err(), "still in line for a DNS provider's process")
	}
}

// Close ends every host: asks, then kills after a second. It returns when no
// process is left. The pool itself can be used again.
func (p *Pool) Close() {
	p.mu.Lock()
	hosts := make([]*host, 0, len(p.alive))
	for h := range p.alive {
		p.retire(h)
		hosts = append(hosts, h)
	}
	p.mu.Unlock()
	var ending sync.WaitGroup
	for _, h := range hosts {
		ending.Go(h.stop)
	}
	ending.Wait()
}

// grant gives a waiter its leases, or nil where it has to wait. Idle hosts make
// room. The caller holds the mutex, as for all that follow with small verbs.
func (p *Pool) grant(w *waiter) []*Lease {
	if lacking := len(p.missing(w.keys)) - (p.limit - len(p.alive)); lacking > 0 {
		p.evict(lacking-p.ending(), w.keys)
		return nil
	}
	leases := make([]*Lease, len(w.keys))
	for i, key := range w.keys {
		h := p.hosts[key]
		if h == nil {
			h = p.start(w.configs[i], key)
		}
		if h.idle != nil {
			h.idle.Stop()
		}
		leases[i] = &Lease{pool: p, host: h, records: map[challengeBody]struct{}{}}
		h.leases[leases[i]] = struct{}{}
	}
	return leases
}

// missing lists the keys for which a host would have to be started.
func (p *Pool) missing(keys []string) []string {
	var missing []string
	for _, key := range keys {
		if h := p.hosts[key]; h != nil {
			if h.alive() && time.Since(h.born) < p.maxAge {
				continue
			}
			p.retire(h)
			p.endIfUnused(h)
		}
		if !slices.Contains(missing, key) {
			missing = append(missing, key)
		}
	}
	return missing
}

func (p *Pool) start(config Config, key string) *host {
	h := newHost(config, key)
	p.hosts[key] = h
	p.alive[h] = struct{}{}
	go func() {
		h.live(func() {
			p.mu.Lock()
			p.retire(h)
			p.mu.Unlock()
			go h.stop()
		})
		p.mu.Lock()
		p.retire(h)
		delete(p.alive, h)
		p.dispatch()
		p.mu.Unlock()
		close(h.ended)
	}()
	return h
}

// evict ends the idle hosts that are oldest; their places are free when they have ended.
func (p *Pool) evict(count int, keep []string) {
	var idle []*host
	for key, h := range p.hosts {
		if len(h.leases) == 0 && !slices.Contains(keep, key) {
			idle = append(idle, h)
		}
	}
	slices.SortFunc(idle, func(a, b *host) int { return a.born.Compare(b.born) })
	for _, h := range idle[:min(max(count, 0), len(idle))] {
		p.retire(h)
		p.endIfUnused(h)
	}
}

// ending counts the hosts that are about to free their places.
func (p *Pool) ending() int {
	count := 0
	for h := range p.alive {
		if h.retired && len(h.leases) == 0 {
			count++
		}
	}
	return count
}

// dispatch serves the line in its order: who needs many is not overtaken for ever.
func (p *Pool) dispatch() {
	for len(p.line) > 0 {
		leases := p.grant(p.line[0])
		if leases == nil {
			return
		}
		p.line[0].granted <- leases
		p.line = p.line[1:]
	}
}

func (p *Pool) leave(w *waiter) {
	p.mu.Lock()
	p.line = slices.DeleteFunc(p.line, func(other *waiter) bool { return other == w })
	p.dispatch()
	p.mu.Unlock()
	select {
	case leases := <-w.granted: // in the same moment
		for _, lease := range leases {
			lease.Release()
		}
	default:
	}
}

// retire takes a host off the list of those that take orders.
func (p *Pool) retire(h *host) {
	h.retired = true
	if p.hosts[h.key] == h {
		delete(p.hosts, h.key)
	}
}

// endIfUnused ends a host without orders: at once if it takes no new ones or is
// not even ready, else when it stayed so.
func (p *Pool) endIfUnused(h *host) {
	if len(h.leases) > 0 {
		return
	}
	select {
	case <-h.started:
	default:
		p.retire(h)
	}
	if h.idle != nil {
		h.idle.Stop()
	}
	if h.retired {
		go h.stop()
		return
	}
	h.idle = time.AfterFunc(p.idle, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(h.leases) == 0 {
			p.retire(h)
			p.endIfUnused(h)
		}
	})
}

func (p *Pool) release(l *Lease) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.released {
		return
	}
	l.released = true
	delete(l.host.leases, l)
	p.endIfUnused(l.host)
	p.killIfCondemned(l.host)
	p.dispatch() // the host may now make room
}

func (p *Pool) addRecord(l *Lease, record challengeBody) {
	p.mu.Lock()
	l.records[record] = struct{}{}
	p.mu.Unlock()
}

func (p *Pool) removeRecord(l *Lease, record challengeBody) {
	p.mu.Lock()
	delete(l.records, record)
	p.killIfCondemned(l.host)
	p.mu.Unlock()
}

// callFailed retires the host: what made one call fail may make others fail.
// The record of a call that hangs cannot be cleaned up in this process.
func (p *Pool) callFailed(l *Lease, record challengeBody, hangs bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retire(l.host)
	if hangs {
		l.host.condemned = true
		delete(l.records, record)
		p.killIfCondemned(l.host)
	}
}

// killIfCondemned kills a host in which a call hangs once no record is in it: many
// providers know how to delete a record only in the process that created it.
func (p *Pool) killIfCondemned(h *host) {
	if !h.condemned {
		return
	}
	for lease := range h.leases {
		if len(lease.records) > 0 {
			return
		}
	}
	h.process.kill()
}

func distinct(keys []string) int {
	keys = slices.Clone(keys)
	slices.Sort(keys)
	return len(slices.Compact(keys))
}

func contextFault(err error, text string) *fault.Error {
	code, reason := fault.Ended(err), "the call was cancelled"
	if code == fault.DeadlineExceeded {
		reason = "the deadline has passed"
	}
	return &fault.Error{Code: code, Detail: fmt.Sprintf("%s: %s", text, reason), Err: err}
}
