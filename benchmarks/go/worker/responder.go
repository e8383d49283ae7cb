package worker

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

const challengePath = "/.well-known/acme-challenge/"

// Responder answers http-01 (RFC 8555 section 8.3) for every account at once.
type Responder struct {
	answers sync.Map // token -> key authorization
	server  *http.Server
}

// Listen opens the port on loopback.
func Listen(port int) (*Responder, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	r := &Responder{}
	r.server = &http.Server{Handler: r, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = r.server.Serve(listener) }()
	return r, nil
}

// Close ends the answers; the next program needs the port.
func (r *Responder) Close() {
	_ = r.server.Shutdown(context.Background())
}

// Present makes an answer visible.
func (r *Responder) Present(token, keyAuthorization string) { r.answers.Store(token, keyAuthorization) }

// CleanUp takes it away.
func (r *Responder) CleanUp(token string) { r.answers.Delete(token) }

func (r *Responder) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	answer, found := r.answers.Load(strings.TrimPrefix(request.URL.Path, challengePath))
	if !found {
		http.NotFound(w, request)
		return
	}
	_, _ = io.WriteString(w, answer.(string))
}
