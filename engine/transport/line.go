package transport

import (
	"context"
	"slices"
	"sync"
	"time"

	"pylego/engine/system"
)

// line lets so many in at once; the others wait in the order of their coming.
type line struct {
	mu    sync.Mutex
	size  int // NoLimit: all
	taken int
	queue []chan struct{} // each is closed when its place is free
}

func unheard() {}

// enter waits for a place; waiting is called where none is free.
func (l *line) enter(ctx context.Context, waiting func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	if len(l.queue) == 0 && l.free() {
		l.taken++
		l.mu.Unlock()
		return nil
	}
	place := make(chan struct{})
	l.queue = append(l.queue, place)
	l.mu.Unlock()
	waiting()
	select {
	case <-place:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.queue, place); i >= 0 {
		l.queue = slices.Delete(l.queue, i, i+1)
	} else { // it became free in the same moment
		l.taken--
		l.callIn()
	}
	return ctx.Err()
}

func (l *line) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.taken--
	l.callIn()
}

// resize holds for those who wait, too; who is in stays.
func (l *line) resize(size int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.size = size
	l.callIn()
}

func (l *line) free() bool { return l.size == NoLimit || l.taken < l.size }

func (l *line) callIn() {
	for len(l.queue) > 0 && l.free() {
		l.taken++
		close(l.queue[0])
		l.queue[0] = nil
		l.queue = l.queue[1:]
	}
}

// pace lets so many through in any period of its length, in the order of their
// coming. A token bucket would let through twice as many in its first period.
type pace struct {
	line line // for the one who waits for the time

	mu   sync.Mutex
	most Frequency
	past []time.Time // of those let through in the last period
}

func newPace(most Frequency) *pace { return &pace{line: line{size: 1}, most: most} }

func (p *pace) set(most Frequency) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.most = most
}

// pass waits for its moment; waiting is called with the time that is known to
// be left, where the moment is not now.
func (p *pace) pass(ctx context.Context, waiting func(time.Duration)) error {
	if p.unlimited() {
		return ctx.Err()
	}
	told := false
	tell := func(wait time.Duration) {
		if !told {
			told = true
			waiting(wait)
		}
	}
	if err := p.line.enter(ctx, func() { tell(0) }); err != nil {
		return err
	}
	defer p.line.leave()
	for wait := p.next(); wait > 0; wait = p.next() {
		tell(wait)
		if err := system.Sleep(ctx, wait); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (p *pace) unlimited() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.most.Count <= 0
}

// next takes the moment if it has come; else it is the time until then.
func (p *pace) next() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	begin := now.Add(-p.most.period())
	p.past = slices.DeleteFunc(p.past, func(then time.Time) bool { return !then.After(begin) })
	if over := len(p.past) - p.most.Count; p.most.Count > 0 && over >= 0 {
		return p.past[over].Sub(begin)
	}
	p.past = append(p.past, now)
	return 0
}
