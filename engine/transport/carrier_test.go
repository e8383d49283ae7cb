package transport

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"pylego/engine/fault"
)

// withSystemRoots lets one file be the system's; such tests run alone.
func withSystemRoots(t *testing.T, path string) {
	t.Helper()
	files := systemFiles
	systemFiles = []string{path}
	t.Cleanup(func() { systemFiles = files })
}

// otherRoot is a root that vouches for none of the tests' servers.
func otherRoot(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func isThrifty(t *testing.T, client *Client) (thrifty, wide bool) {
	t.Helper()
	carrier, thrifty := client.http.Transport.(*thriftyCarrier)
	return thrifty, thrifty && carrier.wider.Load() != nil
}

func TestTheSystemsRootsAreReadWhereTheGivenOnesDoNotVouch(t *testing.T) {
	server, root := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if _, err := w.Write([]byte(r.Method)); err != nil {
			t.Error(err)
		}
	})
	other := otherRoot(t)
	system := filepath.Join(t.TempDir(), "roots.pem")
	withSystemRoots(t, system)

	client := newClient(t, Trust{PEM: root}) // the system has none
	if _, err := client.Get(t.Context(), server.URL); err != nil {
		t.Error(err)
	}
	if thrifty, wide := isThrifty(t, client); !thrifty || wide {
		t.Errorf("%t %t: the system's roots were read although the given one vouches", thrifty, wide)
	}

	client = newClient(t, Trust{PEM: other})
	if _, err := client.Get(t.Context(), server.URL); codeOf(err) != fault.NetworkError {
		t.Errorf("nobody vouches: %v", err)
	}
	if err := os.WriteFile(system, []byte(root), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the request that finds out has a body, which is sent
		if response, err := client.Post(t.Context(), server.URL, []byte("{}")); err != nil || string(response.Body) != http.MethodPost {
			t.Errorf("%+v, %v", response, err)
		}
	}
	if thrifty, wide := isThrifty(t, client); !thrifty || !wide {
		t.Errorf("%t %t", thrifty, wide)
	}
	if _, err := newClient(t, Trust{PEM: other, NoSystem: true}).Get(t.Context(), server.URL); codeOf(err) != fault.NetworkError {
		t.Errorf("the system's roots were asked all the same: %v", err)
	}
}
