package acme

import (
	"context"
	"net/http"
	"slices"
	"sync"

	"pylego/engine/fault"
	"pylego/engine/transport"
)

// maxNonces bounds what is kept: a nonce that waits for long has expired at the CA anyway.
const maxNonces = 64

// nonces are kept for the next request (RFC 8555 section 6.5). They belong to
// the CA, not to an account, so all accounts of a Server share them. Who finds
// none waits for the next that comes, with whichever answer.
type nonces struct {
	client *transport.Client
	url    func() string // newNonce; known once the directory is

	mu       sync.Mutex
	kept     []string
	waiting  []chan nonceOrError // each holds one answer at most
	fetchers *fetchers           // nil: newNonce is not being asked
}

// fetchers ask newNonce for those who wait. They end with the last of them: what
// comes later shall not wait for a server that did not answer then.
type fetchers struct {
	ctx   context.Context
	stop  context.CancelFunc
	count int
}

type nonceOrError struct {
	nonce string
	err   error
}

// keep takes the nonce of an answer, if it has one, to the first who waits.
func (n *nonces) keep(header http.Header) {
	nonce := header.Get("Replay-Nonce")
	if nonce == "" {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.waiting) > 0 {
		n.waiting[0] <- nonceOrError{nonce: nonce}
		n.waiting = n.waiting[1:]
	} else if len(n.kept) < maxNonces {
		n.kept = append(n.kept, nonce)
	}
}

// take returns a nonce: the newest kept, or the next to come. newNonce is asked
// for no more than are waited for.
func (n *nonces) take(ctx context.Context) (string, error) {
	n.mu.Lock()
	if last := len(n.kept) - 1; last >= 0 {
		nonce := n.kept[last]
		n.kept = n.kept[:last]
		n.mu.Unlock()
		return nonce, nil
	}
	if err := n.client.PauseWithin(ctx, n.url()); err != nil {
		n.mu.Unlock()
		return "", err
	}
	mine := make(chan nonceOrError, 1)
	n.waiting = append(n.waiting, mine)
	if n.fetchers == nil {
		n.fetchers = &fetchers{}
		n.fetchers.ctx, n.fetchers.stop = context.WithCancel(context.Background())
	}
	if n.fetchers.count < min(len(n.waiting), transport.NewNonceInFlight) {
		n.fetchers.count++
		go n.fetch(n.fetchers)
	}
	n.mu.Unlock()
	select {
	case answer := <-mine:
		return answer.nonce, answer.err
	case <-ctx.Done():
		n.leave(mine)
		return "", fault.Interrupted(ctx.Err(), "%s has not answered yet", n.url())
	}
}

// leave gives up waiting, and passes on what has come in the same moment.
func (n *nonces) leave(mine chan nonceOrError) {
	n.mu.Lock()
	n.waiting = slices.DeleteFunc(n.waiting, func(other chan nonceOrError) bool { return other == mine })
	if len(n.waiting) == 0 && n.fetchers != nil {
		n.fetchers.stop()
		n.fetchers = nil
	}
	n.mu.Unlock()
	select {
	case answer := <-mine:
		n.keep(http.Header{"Replay-Nonce": {answer.nonce}})
	default:
	}
}

// fetch asks newNonce as long as more wait than are asking. It belongs to no
// request, and so its context is that of all who wait.
func (n *nonces) fetch(f *fetchers) {
	for {
		var header http.Header
		err := fault.Guard(func() (err error) {
			header, err = newNonce(f.ctx, n.client, n.url())
			return err
		})
		if err == nil {
			n.keep(header)
		}
		if !n.goOn(f, err) {
			return
		}
	}
}

// goOn tells an error to all who wait, and whether anybody still does.
func (n *nonces) goOn(f *fetchers, err error) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fetchers != f {
		return false // given up
	}
	if err != nil {
		for _, mine := range n.waiting {
			mine <- nonceOrError{err: err}
		}
		n.waiting = nil
	}
	if len(n.waiting) >= f.count { // or the others fetch for those
		return true
	}
	if f.count--; f.count == 0 {
		f.stop()
		n.fetchers = nil
	}
	return false
}

// newNonce is RFC 8555 section 7.2.
func newNonce(ctx context.Context, client *transport.Client, url string) (http.Header, error) {
	response, err := client.Head(ctx, url)
	if err != nil {
		return nil, err
	}
	if response.Status >= http.StatusMultipleChoices {
		return nil, problemOf(response, url)
	}
	if response.Header.Get("Replay-Nonce") == "" {
		return nil, fault.New(fault.CertificateObtainFailed, "%s answered newNonce without a Replay-Nonce header (HTTP %d)", url, response.Status)
	}
	return response.Header, nil
}
