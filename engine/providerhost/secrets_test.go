package providerhost

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestSecretsAreValuesOfCredentialVariables(t *testing.T) {
	got := secretsIn([]string{
		"CF_DNS_API_TOKEN=token-value",
		"HTTPREQ_PASSWORD=pass=value",
		"EAB_HMAC=hmac-value",
		"HTTPREQ_USERNAME=somebody",
		"HTTPREQ_ENDPOINT=https://user:in-url@dns.example/",
		"CF_DNS_API_TOKEN_FILE=/run/secrets/token",
	})
	if want := []string{"hmac-value", "in-url", "pass=value", "token-value"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestASecretIsRedactedInEveryShape(t *testing.T) {
	secret := "p@ss/\"wörd\\ <&>\t+=%"
	quoted, _ := json.Marshal(secret)
	basic := base64.StdEncoding.EncodeToString([]byte("user:" + secret))
	r := newRedactor([]string{secret})
	for _, text := range []string{
		secret,
		url.QueryEscape(secret),
		url.PathEscape(secret),
		(&url.URL{Scheme: "https", Host: "x", User: url.UserPassword("u", secret)}).String(),
		string(quoted),
		fmt.Sprintf("%q", secret),
		base64.StdEncoding.EncodeToString([]byte(secret)),
		base64.URLEncoding.EncodeToString([]byte(secret)),
	} {
		cleaned := r.clean("before " + text + " after")
		if !strings.Contains(cleaned, redacted) || !strings.HasPrefix(cleaned, "before ") || !strings.HasSuffix(cleaned, " after") {
			t.Errorf("%q became %q", text, cleaned)
		}
	}
	for prefix := range 3 { // base64's three alignments
		encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("u", prefix) + ":" + secret + ":tail"))
		if cleaned := r.clean(encoded); !strings.Contains(cleaned, redacted) || len(cleaned) > len(redacted)+14 {
			t.Errorf("%q became %q", encoded, cleaned)
		}
	}
	if cleaned := r.clean("Authorization: Basic " + basic); !strings.Contains(cleaned, redacted) {
		t.Error(cleaned)
	}
}

func TestShortValuesStayAndPrefixesDoNotHideLongerSecrets(t *testing.T) {
	r := newRedactor([]string{"1", "admin", "secret", "secret-and-more"})
	if got := r.clean("admin 1 secret-and-more secret"); got != "admin 1 [redacted] [redacted]" {
		t.Error(got)
	}
	if got := newRedactor(nil).clean("all stays"); got != "all stays" {
		t.Error(got)
	}
}

func TestEachLineOfAPEMKeyIsASecret(t *testing.T) {
	r := newRedactor([]string{"-----BEGIN KEY-----\nMIGHAgEAMBMGByqGSM49\nAgEGCCqGSM49AwEHBG0w\n-----END KEY-----\n"})
	if got := r.clean("key MIGHAgEAMBMGByqGSM49!"); got != "key [redacted]!" {
		t.Error(got)
	}
}

func TestACutTextShowsNoHalfSecret(t *testing.T) {
	r := newRedactor([]string{"hunter2hunter2"})
	for n := range 14 {
		if got := r.cleanCut("password hunter2hunter2"[:9+n]); strings.Contains(got, "hu") {
			t.Errorf("%d: %q", n, got)
		}
	}
	nested := newRedactor([]string{"secret", "secret-and-more", "hunterhu"})
	for text, want := range map[string]string{
		"a secret-and-mo": "a [redacted]...",
		"a hunterhu":      "a [redacted]...",
		"a secret b":      "a [redacted] b...",
		"nothing, 1":      "nothing, 1...",
	} {
		if got := nested.cleanCut(text); got != want {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestNearestNames(t *testing.T) {
	names := []string{"cloudflare", "cloudns", "clouddns", "route53", "acme-dns", "acmedns", "hetzner", "httpreq", "azuredns"}
	for typed, want := range map[string]string{
		"clouflare":  "cloudflare",
		"cluodflare": "cloudflare",
		"Cloudflare": "cloudflare",
		"route-53":   "route53",
		"acme_dns":   "acme-dns",
		"azure":      "azuredns",
		"htpreq":     "httpreq",
	} {
		if got := Nearest(typed, names); len(got) == 0 || got[0] != want {
			t.Errorf("%s: %q", typed, got)
		}
	}
	if got := Nearest("qqqqqqqqq", names); len(got) != 0 {
		t.Error(got)
	}
	if got := Nearest("", names); len(got) != 0 {
		t.Error(got)
	}
}
