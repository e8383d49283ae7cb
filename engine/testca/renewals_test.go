package testca

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	pebbleacme "github.com/letsencrypt/pebble/v2/acme"
	"github.com/letsencrypt/pebble/v2/core"
	"github.com/letsencrypt/pebble/v2/db"
)

// issue gives a store a certificate, whose order is filed a moment later as Pebble does it.
func issue(t *testing.T, store *db.MemoryStore, id, replaces string, filed func()) {
	t.Helper()
	certificate := &core.Certificate{ID: id}
	if _, err := store.AddCertificate(certificate); err != nil {
		t.Fatal(err)
	}
	order := &core.Order{AccountID: "owner", CertificateObject: certificate, Order: pebbleacme.Order{
		Replaces: replaces, Identifiers: []pebbleacme.Identifier{{Type: "dns", Value: "a.example"}},
	}}
	time.AfterFunc(10*time.Millisecond, func() {
		if err := store.AddOrderByIssuedSerial(order); err != nil {
			t.Error(err)
		}
		filed()
	})
}

func download(t *testing.T, store *db.MemoryStore, id string) {
	t.Helper()
	answered := false
	handler := &renewals{store: store, next: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { answered = true })}
	request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, certificatePath+id, nil)
	handler.ServeHTTP(httptest.NewRecorder(), request)
	if !answered {
		t.Error("the request did not reach Pebble")
	}
}

func TestACertificateThatCanBeDownloadedCanBeReplaced(t *testing.T) {
	t.Parallel()
	for id, encoded := range map[string]string{"71c5e545e1d7fd": "71c5e545e1d7fd", "a5c5e545e1d7fd": "00a5c5e545e1d7fd"} {
		store := db.NewMemoryStore()
		issue(t, store, id, "", func() {})
		download(t, store, id)
		order, err := store.GetOrderByIssuedSerial(encoded)
		if err != nil {
			t.Errorf("%s: %v", id, err)
		} else if order.AccountID != "owner" || len(order.Identifiers) != 1 || order.IsReplaced {
			t.Errorf("%s: %+v", id, order)
		}
	}
}

func TestACertificateThatCanBeDownloadedHasReplacedTheOther(t *testing.T) {
	t.Parallel()
	store := db.NewMemoryStore()
	issue(t, store, "01", "", func() {})
	download(t, store, "01")
	issue(t, store, "02", "AAAA.AQ", func() {
		time.AfterFunc(10*time.Millisecond, func() {
			if err := store.UpdateReplacedOrder("01", true); err != nil {
				t.Error(err)
			}
		})
	})
	download(t, store, "02")
	if old, err := store.GetOrderByIssuedSerial("01"); err != nil || !old.IsReplaced {
		t.Errorf("%+v, %v", old, err)
	}
}

func TestWhatIsNoCertificateIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	download(t, db.NewMemoryStore(), "ff")
}
