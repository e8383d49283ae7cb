package account

import (
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"pylego/engine/fault"
	"pylego/engine/transport"
)

// ZeroSSL's API is not reachable from a test: its answers are those of lego's own
// fixtures, recorded from it.
const (
	given   = `{"success": true, "eab_kid": "kid-1", "eab_hmac_key": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"}`
	refused = `{"success": false, "error": {"code": 2900, "type": "missing_email", "info": "secret key unknown"}}`
)

func askZeroSSL(t *testing.T, z zeroSSL, answer string) (asked *url.URL, form string, kid string, err error) {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked, form = r.URL, r.Header.Get("Content-Type")+" "+string(body)
		_, _ = io.WriteString(w, answer)
	}))
	defer server.Close()
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	client, err := transport.New(transport.Config{Trust: transport.Trust{PEM: string(root), NoSystem: true}})
	if err != nil {
		t.Fatal(err)
	}
	z.api = server.URL + "/acme/"
	binding, err := z.bind(t.Context(), client)
	if err == nil {
		kid = binding.KeyID
	}
	return asked, form, kid, err
}

func TestZeroSSLGivesAnExternalAccountByEmailOrByKey(t *testing.T) {
	asked, form, kid, err := askZeroSSL(t, zeroSSL{email: "ops@example.com"}, given)
	if err != nil || kid != "kid-1" || asked.Path != "/acme/eab-credentials-email" || form != "application/x-www-form-urlencoded email=ops%40example.com" {
		t.Errorf("%v %q %q %v", asked, form, kid, err)
	}
	asked, _, kid, err = askZeroSSL(t, zeroSSL{email: "ops@example.com", accessKey: "secret key"}, given)
	if err != nil || kid != "kid-1" || asked.Path != "/acme/eab-credentials" || asked.Query().Get("access_key") != "secret key" {
		t.Errorf("%v %q %v", asked, kid, err)
	}
}

func TestZeroSSLsRefusalIsToldWithoutTheKey(t *testing.T) {
	for _, answer := range []string{refused, "<html>", `{}`} {
		_, _, _, err := askZeroSSL(t, zeroSSL{accessKey: "secret key"}, answer)
		var known *fault.Error
		if !errors.As(err, &known) || known.Code != fault.AccountRegistrationFailed || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", answer, err)
		}
	}
	client, err := transport.New(transport.Config{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = zeroSSL{api: "https://127.0.0.1:1/", accessKey: "secret key"}.bind(t.Context(), client)
	if err == nil || strings.Contains(err.Error(), "secret") || fault.CodeOf(err, "") != fault.NetworkError {
		t.Error(err)
	}
	if _, err := (zeroSSL{}).bind(t.Context(), client); err == nil || !strings.Contains(err.Error(), "ZERO_SSL_ACCESS_KEY") {
		t.Error(err)
	}
}

func TestOnlyZeroSSLIsAskedForAnExternalAccount(t *testing.T) {
	for directory, want := range map[string]bool{
		"zerossl": true, "https://acme.zerossl.com/v2/DV90": true, "letsencrypt": false, "https://ca.example/dir": false,
	} {
		applicant, err := Access{Server: Server{Directory: directory}, Account: Input{Email: "ops@example.com"}}.Check()
		if err != nil || (applicant.registration.Bind != nil) != want {
			t.Errorf("%s: %v", directory, err)
		}
	}
	bound := Access{Server: Server{Directory: "zerossl"}, Account: Input{EAB: &Binding{KeyID: "kid", HMAC: strings.Repeat("a", 44)}}}
	if applicant, err := bound.Check(); err != nil || applicant.registration.Bind != nil {
		t.Errorf("one that was given is taken: %v", err)
	}
}
