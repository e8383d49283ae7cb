package fault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

func TestEveryCodeIsListedOnce(t *testing.T) {
	seen := map[Code]bool{}
	for _, entry := range Table {
		if seen[entry.Code] || entry.Code == "" || entry.Phase == "" {
			t.Errorf("%+v", entry)
		}
		seen[entry.Code] = true
		if Lookup(entry.Code) != entry {
			t.Errorf("%s is not found", entry.Code)
		}
	}
	if Lookup("new").Phase != "engine" {
		t.Error("an unknown code is the engine's")
	}
}

func TestTheNetworkIsFoundAmongTheCauses(t *testing.T) {
	told := New(DNSProviderFailed, "the API does not answer")
	told.Network = true
	for _, err := range []error{
		told, New(NetworkError, "x"), Wrap(ChallengeFailed, told, "x"),
		Wrap(CertificateObtainFailed, &net.OpError{Op: "listen", Err: io.EOF}, "x"),
	} {
		if !ByNetwork(err) || !ByNetwork(fmt.Errorf("x: %w", err)) {
			t.Errorf("%v", err)
		}
	}
	for _, err := range []error{nil, New(DNSProviderFailed, "no"), Wrap(ChallengeFailed, io.EOF, "x"), context.DeadlineExceeded} {
		if ByNetwork(err) {
			t.Errorf("%v", err)
		}
	}
}

func TestAPanicBecomesAnError(t *testing.T) {
	var known *Error
	if err := Guard(func() error { panic("a bug") }); !errors.As(err, &known) || known.Code != EngineError || !strings.Contains(err.Error(), "a bug") {
		t.Errorf("%v", err)
	}
	if err := Guard(func() error { return io.EOF }); err != io.EOF {
		t.Errorf("%v", err)
	}
	if err := Wrap(NetworkError, io.EOF, "reading %s", "it"); !errors.Is(err, io.EOF) || err.Error() != "reading it: EOF" {
		t.Errorf("%v", err)
	}
}
