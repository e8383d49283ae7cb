package providerhost

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestSecretsAreValuesOfCredentialVariables(t *testing.T) {
	got := secretsIn("", []string{
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

// catalogue is what Python knows of the providers' variables.
func catalogue(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("../../src/pylego/providers.json")
	if err != nil {
		t.Fatal(err)
	}
	var known struct {
		Providers []struct {
			Variables []struct {
				Name       string
				Credential bool
			}
		}
	}
	if err := json.Unmarshal(text, &known); err != nil {
		t.Fatal(err)
	}
	credentials := map[string]bool{}
	for _, provider := range known.Providers {
		for _, variable := range provider.Variables {
			credentials[variable.Name] = variable.Credential
		}
	}
	return credentials
}

func TestEveryCredentialOfTheCatalogueIsASecretInEveryShapeAndNothingElseIs(t *testing.T) {
	const value = `the "value"/of+it`
	file := filepath.Join(t.TempDir(), "credential")
	if err := os.WriteFile(file, []byte(value+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	quoted, _ := json.Marshal(value)
	shapes := []string{value, url.QueryEscape(value), url.PathEscape(value), string(quoted), base64.StdEncoding.EncodeToString([]byte("user:" + value))}
	credentials := 0
	for name, isCredential := range catalogue(t) {
		if !isCredential {
			if got := secretsIn("", []string{name + "=" + value}); len(got) != 0 {
				t.Errorf("%s is no credential: %q", name, got)
			}
			continue
		}
		credentials++
		for _, given := range []string{name + "=" + value, name + "_FILE=" + file} {
			r := newRedactor(secretsIn("", []string{given}))
			for _, shape := range shapes {
				if got := r.clean(shape); !strings.Contains(got, redacted) || strings.Contains(got, "of") {
					t.Errorf("%s shows %q", given, got)
				}
			}
		}
	}
	if credentials < 280 {
		t.Error("the catalogue has only", credentials, "credentials")
	}
}

func TestWhatIsNoProvidersVariableAndHoldsACredentialIsASecret(t *testing.T) {
	got := secretsIn("", []string{
		"LEGO_EAB_HMAC=eab-hmac", "AWS_SESSION_TOKEN=sdk-token", "ARM_CLIENT_SECRET=sdk-secret",
		"MY_SCRIPTS_APIKEY=script-key", "db_passwd=script-password",
		"HTTPS_PROXY=http://user:proxy-password@proxy.example:3128", "no_proxy=localhost,dns.example",
		"PATH=/usr/bin:/bin", "HOME=/home/somebody", "LANG=en_US.UTF-8",
	})
	want := []string{"eab-hmac", "proxy-password", "script-key", "script-password", "sdk-secret", "sdk-token"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEachTokenOfAListIsASecret(t *testing.T) {
	r := newRedactor(secretsIn("", []string{"HURRICANE_TOKENS=a.example:token-one, b.example:token-two,mistaken"}))
	if got := r.clean("a.example password=token-one b.example token-two incorrect pair: mistaken"); got != "a.example password=[redacted] b.example [redacted] incorrect pair: [redacted]" {
		t.Error(got)
	}
}

func TestWhatACredentialsFileHoldsIsASecret(t *testing.T) {
	folder := t.TempDir()
	for name, content := range map[string]string{"token": "file-token\n", "account": `{"private_key": "-----BEGIN\nMIGHAgEAMBMG\nAgEGCCqG\n"}`, "user": "somebody", "key": "path-key"} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := newRedactor(secretsIn(folder, []string{
		"CF_DNS_API_TOKEN_FILE=" + filepath.Join(folder, "token"),
		"GCE_SERVICE_ACCOUNT_FILE=account",
		"HTTPREQ_USERNAME_FILE=user",
		"TRANSIP_PRIVATE_KEY_PATH=key",
		"OTHER_TOKEN_FILE=missing",
		"ANOTHER_TOKEN_FILE=" + folder,
	}))
	if got := r.clean("file-token path-key MIGHAgEAMBMG AgEGCCqG somebody"); got != "[redacted] [redacted] [redacted] [redacted] somebody" {
		t.Error(got)
	}
}

func TestSecretsInURLs(t *testing.T) {
	for address, want := range map[string][]string{
		"https://dns.example/?key=in-query&b=other%2Fvalue#c=d": {"in-query", "in-query", "other%2Fvalue", "other/value"},
		"https://the-token@dns.example":                         {"the-token", "the-token"},
		"https://user:a%40b@dns.example/path@x":                 {"a%40b", "a@b"},
		"https://user:in-url@dns.example:nonsense/%zz?k=v":      {"in-url", "in-url", "v", "v"},
		"https://dns.example/path":                              nil,
		"what?is=this":                                          nil,
	} {
		if got := secretsInURL(address); !slices.Equal(got, want) {
			t.Errorf("%s: %q", address, got)
		}
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
		strings.ReplaceAll(url.QueryEscape(secret), "+", "%20"), // as SDKs do who sign requests
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
