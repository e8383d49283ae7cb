package testca

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// post sends a body; nonsense is answered by Pebble with "malformed".
func post(t *testing.T, client *http.Client, server *Server, path, body string) (*http.Response, string, error) {
	t.Helper()

	url := strings.TrimSuffix(server.Info().Directory, "/dir") + path

	response, err := client.Post(url, "application/jose+json", strings.NewReader(body))
	if err != nil {
		return nil, "", err
	}

	content, err := io.ReadAll(response.Body)
	_ = response.Body.Close()

	return response, string(content), err
}

func setFaults(t *testing.T, server *Server, faults Faults) {
	t.Helper()

	if err := server.SetFaults(faults); err != nil {
		t.Fatal(err)
	}
}

func TestAStatusIsAnsweredSoManyTimes(t *testing.T) {
	t.Parallel()

	server := start(t, Config{})
	client := httpClient(t, server)
	setFaults(t, server, Faults{Status: 429, StatusCount: 2, RetryAfter: "7", Path: "newOrder"})

	for i, want := range []string{"rateLimited", "rateLimited", "malformed"} {
		response, content, err := post(t, client, server, "/order-plz", "{}")
		if err != nil {
			t.Fatal(err)
		}

		if !strings.Contains(content, "urn:ietf:params:acme:error:"+want) {
			t.Errorf("answer %d: %s", i, content)
		}

		if limited := want == "rateLimited"; limited != (response.StatusCode == 429) || limited != (response.Header.Get("Retry-After") == "7") {
			t.Errorf("answer %d: %s, %v", i, response.Status, response.Header)
		}

		if response.Header.Get("Replay-Nonce") == "" {
			t.Errorf("answer %d has no nonce", i)
		}
	}
}

func TestOtherPathsAreSpared(t *testing.T) {
	t.Parallel()

	server := start(t, Config{})
	client := httpClient(t, server)

	// A kind is exact: "order" is neither newOrder nor finalize, though their paths contain it.
	for path, spared := range map[string]bool{"order": true, "order-plz": false, "newOrder": false, "": false} {
		setFaults(t, server, Faults{Status: 503, StatusCount: -1, Path: path})

		response, content, err := post(t, client, server, "/order-plz", "{}")
		if err != nil {
			t.Fatal(err)
		}

		if spared != (response.StatusCode != 503) {
			t.Errorf("%q: %s %s", path, response.Status, content)
		}
	}

	if count := server.Requests()["newOrder"]; count != 4 {
		t.Errorf("%d requests counted", count)
	}
}

func TestARejectedNonceComesWithANewOneThatIsGood(t *testing.T) {
	t.Parallel()

	server := start(t, Config{})
	client := httpClient(t, server)
	setFaults(t, server, Faults{NonceReject: 100})

	response, content, err := post(t, client, server, "/sign-me-up", "{}")
	if err != nil {
		t.Fatal(err)
	}

	nonce := response.Header.Get("Replay-Nonce")
	if !strings.Contains(content, "badNonce") || nonce == "" {
		t.Errorf("%s, %v", content, response.Header)
	}

	setFaults(t, server, Faults{})

	for _, want := range []int{http.StatusCreated, http.StatusBadRequest} { // a nonce is good once
		response, content, err = post(t, client, server, "/sign-me-up", signedNewAccount(t, server, nonce))
		if err != nil || response.StatusCode != want {
			t.Fatalf("%s, %v", content, err)
		}
	}
}

func signedNewAccount(t *testing.T, server *Server, nonce string) string {
	t.Helper()

	options := &jose.SignerOptions{EmbedJWK: true}
	options.WithHeader("nonce", nonce)
	options.WithHeader("url", strings.Replace(server.Info().Directory, "/dir", "/sign-me-up", 1))

	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: newKey(t)}, options)
	if err != nil {
		t.Fatal(err)
	}

	signed, err := signer.Sign([]byte(`{"termsOfServiceAgreed": true}`))
	if err != nil {
		t.Fatal(err)
	}

	return signed.FullSerialize()
}

func TestADroppedConnectionGivesNoAnswer(t *testing.T) {
	t.Parallel()

	server := start(t, Config{})

	for _, http2 := range []bool{false, true} {
		client := httpClient(t, server)
		client.Transport.(*http.Transport).ForceAttemptHTTP2 = http2
		setFaults(t, server, Faults{Drop: 1})

		if response, _, err := post(t, client, server, "/order-plz", "{}"); err == nil {
			t.Errorf("answered: %s", response.Status)
		}

		if _, _, err := post(t, client, server, "/order-plz", "{}"); err != nil {
			t.Errorf("after the drop: %v", err)
		}
	}
}

func TestADelayComesBeforeTheAnswer(t *testing.T) {
	t.Parallel()

	server := start(t, Config{})
	setFaults(t, server, Faults{DelayMS: 30, Path: "directory"})

	begun := time.Now()
	if err := get(httpClient(t, server), server.Info().Directory); err != nil {
		t.Fatal(err)
	}

	if took := time.Since(begun); took < 30*time.Millisecond {
		t.Errorf("took %s", took)
	}
}

func TestFaultsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()

	server := start(t, Config{})
	for _, faults := range []Faults{{Status: 200, StatusCount: 1}, {Status: 503}, {NonceReject: 101}, {Drop: -1}, {DelayMS: -1}} {
		if err := server.SetFaults(faults); err == nil {
			t.Errorf("%+v was taken", faults)
		}
	}
}
