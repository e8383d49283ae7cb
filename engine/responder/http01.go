package responder

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"pylego/engine/acme"
)

const (
	challengePath = "/.well-known/acme-challenge/"
	// lastAnswers is how long answers may still be written after the last order.
	lastAnswers = 100 * time.Millisecond
)

// httpAnswers serves key authorizations by token and Host (RFC 8555 section 8.3);
// everything else is 404.
type httpAnswers struct {
	watchers
	mu      sync.RWMutex
	byToken map[string]*held
}

// held counts its orders: a CA may give two orders of an account the same
// pending authorization, and with it the same token.
type held struct {
	acme.Answer
	header string // that tells which name was asked for; "" is Host
	orders int
}

func newHTTPAnswers() *httpAnswers { return &httpAnswers{byToken: map[string]*held{}} }

func (h *httpAnswers) add(_ context.Context, answer acme.Answer, hostHeader string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.byToken[answer.Token] == nil {
		h.byToken[answer.Token] = &held{Answer: answer, header: hostHeader}
	}
	h.byToken[answer.Token].orders++
	return nil
}

func (h *httpAnswers) remove(answer acme.Answer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	found := h.byToken[answer.Token]
	if found == nil {
		return
	}
	if found.orders--; found.orders == 0 {
		delete(h.byToken, answer.Token)
		h.drop(answer.Token)
	}
}

func (h *httpAnswers) seen(answer acme.Answer) <-chan struct{} { return h.channel(answer.Token) }

func (h *httpAnswers) count() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.byToken)
}

func (h *httpAnswers) serve(listener net.Listener) (stop func()) {
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: connectionTime,
		ReadTimeout:       connectionTime,
		WriteTimeout:      connectionTime,
		MaxHeaderBytes:    8 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // the Internet's garbage is no news
	}
	// A validation is one request. Without keep-alive no idle connection of a
	// stranger holds one of the places.
	server.SetKeepAlivesEnabled(false)
	go func() { _ = server.Serve(listener) }() // ends with ErrServerClosed
	return func() {
		_ = listener.Close() // the port is free; an answer that is being written may end
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), lastAnswers)
			defer cancel()
			_ = server.Shutdown(ctx)
			_ = server.Close()
		}()
	}
}

func (h *httpAnswers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	token, found := strings.CutPrefix(r.URL.Path, challengePath)
	h.mu.RLock()
	answer, known := h.byToken[token]
	h.mu.RUnlock()
	if !found || !known || r.Method != http.MethodGet && r.Method != http.MethodHead || !sameHost(askedFor(r, answer.header), answer.Identifier.Value) {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	_, _ = io.WriteString(w, answer.KeyAuthorization)
	_ = http.NewResponseController(w).Flush() // the CA has it before we say so
	h.notify(token)
}

// askedFor is the name that a request was for before a proxy changed its Host: the
// first of the header's values, as in lego. Forwarded is RFC 7239's.
func askedFor(r *http.Request, header string) string {
	if header == "" || strings.EqualFold(header, "Host") {
		return r.Host
	}
	first, _, _ := strings.Cut(r.Header.Get(header), ",")
	if !strings.EqualFold(header, "Forwarded") {
		return strings.TrimSpace(first)
	}
	for pair := range strings.SplitSeq(first, ";") {
		name, value, _ := strings.Cut(pair, "=")
		if strings.EqualFold(strings.TrimSpace(name), "host") {
			return strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return ""
}

// sameHost compares a Host header, with or without a port, with an identifier.
// It keeps another name that points here from fetching the answer (DNS rebinding).
func sameHost(header, name string) bool {
	host, _, err := net.SplitHostPort(header)
	if err != nil {
		host = strings.Trim(header, "[]")
	}
	if ip := net.ParseIP(host); ip != nil {
		return ip.Equal(net.ParseIP(name))
	}
	return strings.EqualFold(strings.TrimSuffix(host, "."), name)
}
