package testca

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"time"

	pebbleacme "github.com/letsencrypt/pebble/v2/acme"
	"github.com/letsencrypt/pebble/v2/core"
	"github.com/letsencrypt/pebble/v2/db"

	"pylego/engine/system"
)

// renewals keeps Pebble 2.10.1 from losing the certificate that an order replaces
// (RFC 9773 section 5), in two ways:
//
//   - which order brought a certificate, and that it is replaced, is filed only
//     after the order shows as valid, so that a quick renewal finds nothing;
//   - it is filed under the serial number without leading zeros, and looked for
//     under the DER encoding, which has one before a first bit that is set: one
//     certificate of 256 is never found.
//
// So a certificate is handed out when all of that is filed.
type renewals struct {
	next  http.Handler
	store *db.MemoryStore
}

func (n *renewals) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if kindOf(r.URL.Path) == "certificate" {
		id, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, certificatePath), "/") // "/alternate/1" may follow
		if n.store.GetCertificateByID(id) != nil {
			n.file(r.Context(), id)
		}
	}
	n.next.ServeHTTP(w, r)
}

// longestFiling is far more than Pebble needs. It bounds the wait for a mark that
// the failure of another order may have taken back.
const longestFiling = time.Second

func (n *renewals) file(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(ctx, longestFiling)
	defer cancel()
	order := n.whenFiled(ctx, id, func(*core.Order) bool { return true })
	if order == nil {
		return
	}
	if encoded := encodedSerial(id); encoded != id {
		if _, err := n.store.GetOrderByIssuedSerial(encoded); err != nil {
			_ = n.store.AddOrderByIssuedSerial(namesake(order, encoded)) // fails for an order without certificate
		}
	}
	if _, serial, replaces := strings.Cut(order.Replaces, "."); replaces {
		if replaced, err := base64.RawURLEncoding.DecodeString(serial); err == nil {
			n.whenFiled(ctx, hex.EncodeToString(replaced), func(old *core.Order) bool {
				old.RLock()
				defer old.RUnlock()
				return old.IsReplaced
			})
		}
	}
}

// whenFiled looks every millisecond: Pebble tells nobody when it files something.
func (n *renewals) whenFiled(ctx context.Context, id string, done func(*core.Order) bool) *core.Order {
	for ctx.Err() == nil {
		if order, err := n.store.GetOrderByIssuedSerial(id); err == nil && done(order) {
			return order
		}
		_ = system.Sleep(ctx, time.Millisecond) // the loop looks at the context
	}
	return nil
}

// encodedSerial is the content of a serial number in DER, in hexadecimal digits.
func encodedSerial(id string) string {
	if id != "" && id[0] >= '8' {
		return "00" + id
	}
	return id
}

// namesake has of an order what Pebble asks about one that is to be replaced.
func namesake(order *core.Order, id string) *core.Order {
	return &core.Order{
		Order:             pebbleacme.Order{Identifiers: order.Identifiers},
		AccountID:         order.AccountID,
		CertificateObject: &core.Certificate{ID: id},
	}
}
