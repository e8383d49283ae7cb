//go:build unix

package providerhost

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// recorder is the other side of lego's httpreq provider.
type recorder struct {
	*httptest.Server
	mu     sync.Mutex
	calls  []string
	status int
}

func newRecorder(t *testing.T) *recorder {
	r := &recorder{status: http.StatusOK}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body)
		user, password, _ := request.BasicAuth()
		r.mu.Lock()
		defer r.mu.Unlock()
		r.calls = append(r.calls, strings.TrimSpace(request.URL.Path+" "+user+" "+string(body)))
		w.WriteHeader(r.status)
		if r.status != http.StatusOK {
			_, _ = io.WriteString(w, "no "+user+" with "+password+" "+request.Header.Get("Authorization"))
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *recorder) config(user string) Config {
	environment := map[string]string{
		"HTTPREQ_ENDPOINT": r.URL, "HTTPREQ_USERNAME": user, "HTTPREQ_PASSWORD": "password-of-" + user,
		"LEGO_DISABLE_CNAME_SUPPORT": "true",
	}
	config := Config{Provider: "httpreq"}
	for name, value := range environment {
		config.Environment = append(config.Environment, name+"="+value)
	}
	return config
}

func TestLegosOwnProviderWorksInAHost(t *testing.T) {
	withRealLego(t)
	r := newRecorder(t)
	p := newPool(t)
	lease := acquire(t, p, r.config("alice"))
	if got, err := lease.Ready(context10s(t)); err != nil || got.Timeout == 0 || got.Sequential {
		t.Fatal(got, err)
	}
	info, err := lease.ChallengeInfo(context10s(t), "example.com", "t.k")
	if err != nil {
		t.Fatal(err)
	}
	if err := lease.Present(context10s(t), "example.com", "t", "t.k"); err != nil {
		t.Fatal(err)
	}
	if err := lease.CleanUp(context10s(t), "example.com", "t", "t.k"); err != nil {
		t.Fatal(err)
	}
	body := `{"fqdn":"` + info.EffectiveFQDN + `","value":"` + info.Value + `"}`
	if got := strings.Join(r.calls, "\n"); got != "/present alice "+body+"\n/cleanup alice "+body {
		t.Error(got)
	}
}

func TestTwoOrdersCredentialsDoNotMix(t *testing.T) {
	withRealLego(t)
	r := newRecorder(t)
	p := newPool(t)
	var orders sync.WaitGroup
	for _, user := range []string{"alice", "bob", "carol"} {
		lease := acquire(t, p, r.config(user))
		orders.Go(func() {
			for range 20 {
				if err := lease.Present(context10s(t), user+".example", "t", "k"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	orders.Wait()
	for _, call := range r.calls {
		user := strings.Fields(call)[1]
		if !strings.Contains(call, "_acme-challenge."+user+".example.") {
			t.Error("mixed:", call)
		}
	}
	if len(r.calls) != 60 {
		t.Error(len(r.calls), "calls")
	}
}

func TestAServersRefusalNamesTheProviderAndNoSecret(t *testing.T) {
	withRealLego(t)
	r := newRecorder(t)
	r.status = http.StatusForbidden
	lease := acquire(t, newPool(t), r.config("alice"))
	err := lease.Present(context10s(t), "example.com", "t", "k")
	if err == nil {
		t.Fatal("presented")
	}
	mustContain(t, err.Error(), "DNS provider httpreq could not present the record for example.com", "403", "no alice with [redacted]")
	if strings.Contains(err.Error(), "password-of-alice") || strings.Contains(err.Error(), "cGFzc3dvcmQtb2YtYWxpY2U") {
		t.Error("a secret is in", err)
	}
}

func TestLegosWordsAboutAMissingSettingArriveAndNamesAreSuggested(t *testing.T) {
	withRealLego(t)
	p := newPool(t)
	for provider, part := range map[string]string{
		"httpreq":    "some credentials information are missing: HTTPREQ_ENDPOINT",
		"clouflare":  "did you mean cloudflare",
		"route35":    "did you mean route53",
		"manualy":    "manual",
		"acme-dsn":   "acme-dns",
		"zzzzzzzzzz": `lego has no DNS provider "zzzzzzzzzz"`,
	} {
		_, err := acquire(t, p, Config{Provider: provider}).Ready(context10s(t))
		if err == nil {
			t.Error(provider, "is ready")
			continue
		}
		mustContain(t, err.Error(), part)
	}
}

func TestExecWhichHangsIsKilledWithItsScript(t *testing.T) {
	withRealLego(t)
	script := filepath.Join(t.TempDir(), "script")
	text := "#!/bin/sh\nsleep 600 &\nprintf 'script %s %s\\n' \"$1\" \"$2\"\nwait\n"
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	lease := acquire(t, newPool(t), Config{
		Provider:    "exec",
		Environment: []string{"EXEC_PATH=" + script, "PATH=" + os.Getenv("PATH"), "LEGO_DISABLE_CNAME_SUPPORT=1"},
	})
	got, err := lease.Ready(context10s(t))
	if err != nil || !got.Sequential || got.Pause == 0 {
		t.Fatal(got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { logs.wait(t, "script present _acme-challenge.example.com."); cancel() }()
	if err := lease.Present(ctx, "example.com", "t", "k"); !Gone(err) {
		t.Error(err)
	}
	within(t, "the end of the host", lease.host.ended)
}
