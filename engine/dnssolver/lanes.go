package dnssolver

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"pylego/engine/providerhost"
	"pylego/engine/system"
)

// parallelSafe names the providers that write single records, so that changes
// of different names cannot undo each other. Of all others it is assumed that
// they read, change and write back a record set or a whole zone, as many do.
// Each name is here because a test has shown it.
var parallelSafe = []string{"cloudflare", "httpreq", "route53"}

// clearing names the providers whose CleanUp deletes all TXT records of a name,
// those of other orders, too. They are those of which tests/dns/test_apis.py has
// shown it: there, orders at once share a name through every provider.
var clearing = []string{"alidns", "azuredns", "dnsimple", "gandiv5", "gcloud", "namecheap", "tencentcloud", "vultr"}

// provider is what is known of a DNS provider.
type provider struct {
	code       string
	beginnings []string // of the names of all that it reads
}

// patience ends the names of variables that say how long something may take, and not
// whose it is.
var patience = []string{"_INTERVAL", "_TIMEOUT", "_TTL"}

// credentials tells apart orders that must not write at the same time: they have equal
// settings of one provider's own, by whichever of its names. Two of them may well have
// hosts of their own, since in a host everything else counts, too.
func credentials(config providerhost.Config) string {
	p, found := known[config.Provider]
	if !found {
		p = provider{config.Provider, []string{""}}
	}
	return config.Credentials(p.code, func(name string) bool {
		with := func(beginning string) bool { return strings.HasPrefix(name, beginning) }
		without := func(end string) bool { return strings.HasSuffix(name, end) }
		return slices.ContainsFunc(p.beginnings, with) && !slices.ContainsFunc(patience, without)
	})
}

// writeLane is what Present and CleanUp have to themselves: all that one set of
// credentials may write, or one name of it.
func writeLane(provider, credentials, effectiveFQDN string) string {
	if slices.Contains(parallelSafe, provider) {
		return credentials + strings.ToLower(effectiveFQDN)
	}
	return credentials
}

// The lanes of this process: one order at a time, in the order of their coming.
var (
	writes = newLanes() // a call of a provider
	turns  = newLanes() // a whole cycle of a Sequential provider
)

// Alone waits for its turn among all calls of this process that write with the
// same key; waiting is called where it has to.
func Alone(ctx context.Context, key string, waiting func()) (leave func(), err error) {
	ln, err := writes.enter(ctx, key, func(time.Duration) { waiting() })
	if err != nil {
		return nil, err
	}
	return func() { ln.leave(0) }, nil
}

type lanes struct {
	mu    sync.Mutex
	lanes map[string]*lane
}

type lane struct {
	owner *lanes
	key   string
	users int // in it or in line
	line  []chan struct{}
	busy  bool
	rest  time.Time // nobody enters before
}

func newLanes() *lanes { return &lanes{lanes: map[string]*lane{}} }

// enter waits for its place in a lane. waiting is called when it is not free,
// with the time still to wait where that is known.
func (l *lanes) enter(ctx context.Context, key string, waiting func(time.Duration)) (*lane, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.sweep()
	ln := l.lanes[key]
	if ln == nil {
		ln = &lane{owner: l, key: key}
		l.lanes[key] = ln
	}
	ln.users++
	if !ln.busy {
		ln.busy = true
		l.mu.Unlock()
	} else {
		place := make(chan struct{})
		ln.line = append(ln.line, place)
		l.mu.Unlock()
		waiting(0)
		select {
		case <-place:
		case <-ctx.Done():
			ln.giveUp(place)
			return nil, ctx.Err()
		}
	}
	if err := ln.restFor(ctx, waiting); err != nil {
		ln.leave(0)
		return nil, err
	}
	return ln, nil
}

// restFor keeps the pause that the last one asked for.
func (ln *lane) restFor(ctx context.Context, waiting func(time.Duration)) error {
	ln.owner.mu.Lock()
	rest := time.Until(ln.rest)
	ln.owner.mu.Unlock()
	if rest <= 0 {
		return nil
	}
	waiting(rest)
	return system.Sleep(ctx, rest)
}

// leave lets the next one in; it will have to rest for a pause.
func (ln *lane) leave(pause time.Duration) {
	ln.owner.mu.Lock()
	defer ln.owner.mu.Unlock()
	ln.users--
	if pause > 0 {
		ln.rest = time.Now().Add(pause)
	}
	ln.next()
}

func (ln *lane) next() {
	if len(ln.line) == 0 {
		ln.busy = false
		return
	}
	close(ln.line[0])
	ln.line = ln.line[1:]
}

func (ln *lane) giveUp(place chan struct{}) {
	ln.owner.mu.Lock()
	defer ln.owner.mu.Unlock()
	ln.users--
	if i := slices.Index(ln.line, place); i >= 0 {
		ln.line = slices.Delete(ln.line, i, i+1)
		return
	}
	ln.next() // the place was given in the same moment
}

// sweep forgets lanes that nobody uses and that need no rest.
func (l *lanes) sweep() {
	now := time.Now()
	for key, ln := range l.lanes {
		if ln.users == 0 && !now.Before(ln.rest) {
			delete(l.lanes, key)
		}
	}
}
