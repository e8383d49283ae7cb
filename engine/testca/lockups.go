package testca

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	legoacme "github.com/go-acme/lego/v5/acme"
	"github.com/letsencrypt/pebble/v2/core"
	"github.com/letsencrypt/pebble/v2/db"
)

// lockups keeps Pebble 2.10.1 from locking itself up for good, in two ways that
// concurrent and cancelled orders meet:
//
//   - newOrder takes the store's lock and then each authorization's, a request
//     for an authorization takes them the other way round;
//   - showing an authorization that is no longer pending leaves a read lock on
//     each challenge that was not used (prepAuthorizationForDisplay), for which
//     a validation that still runs then waits, with the authorization locked.
type lockups struct {
	next     http.Handler
	store    *db.MemoryStore
	ordering sync.RWMutex
}

func (l *lockups) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch kindOf(r.URL.Path) {
	case "newOrder":
		l.ordering.Lock()
		defer l.ordering.Unlock()
	case "authorization":
		l.ordering.RLock()
		defer l.ordering.RUnlock()
		l.dropUnused(r)
	}
	l.next.ServeHTTP(w, r)
}

// dropUnused takes those challenges out of an authorization that Pebble would
// not show anyway, so that it has none to forget the lock of.
func (l *lockups) dropUnused(r *http.Request) {
	_, id, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	authorization := l.store.GetAuthorizationByID(id)
	if authorization == nil {
		return
	}
	deactivates := readJWS(r).Payload != "" // it is no POST-as-GET (RFC 8555 section 6.3)
	authorization.Lock()
	defer authorization.Unlock()
	if authorization.Status == legoacme.StatusPending && !deactivates {
		return
	}
	authorization.Challenges = slices.DeleteFunc(slices.Clone(authorization.Challenges), func(c *core.Challenge) bool {
		c.RLock()
		defer c.RUnlock()
		return c.Error == nil && c.Status != legoacme.StatusValid
	})
}

// jws is a request's body as it is sent: base64url without padding.
type jws struct {
	Protected string `json:"protected"`
	Payload   string `json:"payload"`
}

// readJWS leaves the body to be read again. What is no JWS is empty: Pebble refuses it.
func readJWS(r *http.Request) (body jws) {
	data, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(data))
	_ = json.Unmarshal(data, &body)
	return body
}
