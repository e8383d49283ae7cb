package testca

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"path"
	"sync"

	"github.com/letsencrypt/pebble/v2/db"
)

// ledger knows which accounts have ordered, so that a test can ask what became of
// their authorizations: Pebble's store lists orders by account, and no accounts.
type ledger struct {
	next  http.Handler
	store *db.MemoryStore

	mu       sync.Mutex
	accounts map[string]bool
}

func (l *ledger) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if kindOf(r.URL.Path) == "newOrder" {
		l.mu.Lock()
		l.accounts[accountOf(r)] = true
		l.mu.Unlock()
	}
	l.next.ServeHTTP(w, r)
}

// accountOf is the last part of the account's URL (RFC 8555 section 6.2: kid).
func accountOf(r *http.Request) string {
	var protected struct {
		KeyID string `json:"kid"`
	}
	header, err := base64.RawURLEncoding.DecodeString(readJWS(r).Protected)
	if err != nil || json.Unmarshal(header, &protected) != nil {
		return "" // Pebble refuses it
	}
	return path.Base(protected.KeyID)
}

// authorizations counts them by status.
func (l *ledger) authorizations() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	counts := map[string]int{}
	for account := range l.accounts {
		for _, order := range l.store.GetOrdersByAccountID(account) {
			for _, authorization := range order.AuthorizationObjects {
				authorization.RLock()
				counts[authorization.Status]++
				authorization.RUnlock()
			}
		}
	}
	return counts
}
