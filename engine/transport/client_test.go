package transport

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"pylego/engine/fault"
)

// serve gives an HTTPS server and the root that vouches for it.
func serve(t *testing.T, handler http.HandlerFunc) (server *httptest.Server, root string) {
	t.Helper()
	server = httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
}

func newClient(t *testing.T, trust Trust) *Client {
	t.Helper()
	client, err := New(Config{Trust: trust})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func codeOf(err error) fault.Code { return fault.CodeOf(err, "") }

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }

func TestAWrongRootFailsThatClientOnly(t *testing.T) {
	t.Parallel()
	server, right := serve(t, hello)
	file := filepath.Join(t.TempDir(), "root.pem")
	if err := os.WriteFile(file, []byte(right), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := newClient(t, Trust{NoSystem: true}).Get(t.Context(), server.URL)
	if codeOf(err) != fault.NetworkError || !strings.Contains(err.Error(), "SSL_CERT_FILE") {
		t.Errorf("%v", err)
	}
	for _, trust := range []Trust{
		{Files: []string{file}, NoSystem: true}, {PEM: right, NoSystem: true}, {PEM: right},
		{Directories: []string{filepath.Dir(file)}, NoSystem: true}, {PEM: right, NoSystem: true, ServerName: "example.com"},
	} {
		if response, err := newClient(t, trust).Get(t.Context(), server.URL); err != nil || string(response.Body) != "hello" {
			t.Errorf("%+v: %v", trust, err)
		}
	}
	if _, err := newClient(t, Trust{PEM: right, ServerName: "other.example"}).Get(t.Context(), server.URL); codeOf(err) != fault.NetworkError {
		t.Errorf("%v", err)
	}
}

func TestABadTrustFileIsNamed(t *testing.T) {
	t.Parallel()
	malformed := filepath.Join(t.TempDir(), "malformed.pem")
	if err := os.WriteFile(malformed, []byte("-----BEGIN CERTIFICATE-----\nnonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, trust := range []Trust{{Files: []string{malformed}}, {Files: []string{malformed + ".missing"}}, {PEM: "nonsense"}} {
		_, err := New(Config{Trust: trust})
		if codeOf(err) != fault.LegoClientCreationFailed || len(trust.Files) > 0 && !strings.Contains(err.Error(), trust.Files[0]) {
			t.Errorf("%+v: %v", trust, err)
		}
	}
}

func TestAReplacedTrustFileIsAnotherFingerprint(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "root.pem")
	seen := map[string]bool{}
	for _, content := range []string{"", "one", "three"} {
		if content != "" {
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		seen[Config{Trust: Trust{Files: []string{file}}}.Fingerprint()] = true
	}
	if len(seen) != 3 {
		t.Errorf("%v", seen)
	}
}

func TestAFileWrittenToInATrustFolderIsAnotherFingerprint(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "root.pem")
	for name, trust := range map[string]Trust{"files": {Files: []string{folder}}, "directories": {Directories: []string{folder}}} {
		seen := map[string]bool{}
		for _, content := range []string{"one", "three"} {
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			seen[Config{Trust: trust}.Fingerprint()] = true
		}
		if len(seen) != 2 {
			t.Errorf("%s: %v", name, seen)
		}
	}
}

// A session that is shared in spite of a difference would be less verified, or
// take another way, than somebody has asked for.
func TestEveryFieldIsInTheFingerprint(t *testing.T) {
	t.Parallel()
	plain := Config{}.Fingerprint()
	seen := map[string]string{plain: "nothing"}
	var config Config
	fields(reflect.ValueOf(&config).Elem(), "", func(name string, field reflect.Value) {
		set(t, field)
		got := config.Fingerprint()
		if limits := strings.HasPrefix(name, ".Limits"); limits != (got == plain) {
			t.Errorf("%s: %s", name, got)
		} else if other, ok := seen[got]; ok && !limits {
			t.Errorf("%s is taken for %s", name, other)
		}
		seen[got] = name
		field.SetZero()
	})
}

// fields visits those of a struct and of the structs in it.
func fields(value reflect.Value, name string, visit func(string, reflect.Value)) {
	for i := range value.NumField() {
		field, inner := value.Field(i), name+"."+value.Type().Field(i).Name
		if field.Kind() == reflect.Struct {
			fields(field, inner, visit)
		} else {
			visit(inner, field)
		}
	}
}

func set(t *testing.T, field reflect.Value) {
	t.Helper()
	switch field.Kind() {
	case reflect.String:
		field.SetString("text")
	case reflect.Bool:
		field.SetBool(true)
	case reflect.Int:
		field.SetInt(1)
	case reflect.Float64:
		field.SetFloat(1)
	case reflect.Slice:
		field.Set(reflect.MakeSlice(field.Type(), 1, 1))
	case reflect.Pointer:
		field.Set(reflect.New(field.Type().Elem()))
	default:
		t.Fatalf("a field of kind %s", field.Kind())
	}
}

func TestOnlyHTTPSIsSpoken(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(http.HandlerFunc(hello))
	defer plain.Close()
	server, root := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, plain.URL, http.StatusTemporaryRedirect)
	})
	client := newClient(t, Trust{PEM: root, NoSystem: true})
	for _, address := range []string{plain.URL, "ftp://x.example", "x.example", "https://", "%"} {
		if _, err := client.Get(t.Context(), address); codeOf(err) != fault.InvalidArguments {
			t.Errorf("%s: %v", address, err)
		}
	}
	_, err := client.Get(t.Context(), server.URL)
	if fault.Lookup(codeOf(err)).Retryable || codeOf(err) == "" || !strings.Contains(err.Error(), "https only") {
		t.Errorf("%v", err)
	}
	if _, err := client.Post(t.Context(), server.URL, []byte("{}")); err == nil {
		t.Error("a JWS went to http")
	}
}

func TestABodyOverTheLimitIsRefused(t *testing.T) {
	t.Parallel()
	server, root := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		chunk := make([]byte, 1<<20)
		for {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	_, err := newClient(t, Trust{PEM: root, NoSystem: true}).Get(t.Context(), server.URL)
	if codeOf(err) != fault.CertificateObtainFailed || !strings.Contains(err.Error(), "more than 4 MB") {
		t.Errorf("%v", err)
	}
}

func TestTheCallersCancellationStaysWhatItIs(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	server, root := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // net/http notices a client that has gone only then
		close(asked)
		<-r.Context().Done()
		panic(http.ErrAbortHandler) // an answer now could reach the client before it hears of the end
	})
	client := newClient(t, Trust{PEM: root, NoSystem: true})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	if _, err := client.Post(ctx, server.URL, []byte("{}")); !errors.Is(err, context.Canceled) || codeOf(err) != fault.Cancelled {
		t.Errorf("%v", err)
	}
}

func TestA429PausesAllJobsOfItsHost(t *testing.T) {
	t.Parallel()
	refusals := make(chan struct{}, 1)
	refusals <- struct{}{}
	server, root := serve(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-refusals:
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		default:
			hello(w, r)
		}
	})
	first, second := newClient(t, Trust{PEM: root, NoSystem: true}), newClient(t, Trust{PEM: root, NoSystem: true})
	began := time.Now()
	if response, err := first.Get(t.Context(), server.URL); err != nil || response.Status != 429 || response.RetryAfter() != time.Second {
		t.Fatal(err)
	}
	if _, err := second.Get(t.Context(), server.URL); err != nil || time.Since(began) < time.Second {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

func TestRetryAfterIsSecondsOrADate(t *testing.T) {
	t.Parallel()
	in10 := time.Now().Add(10 * time.Second).UTC().Format(http.TimeFormat)
	for value, want := range map[string]time.Duration{
		"": 0, "5": 5 * time.Second, "-5": 0, "soon": 0, "Mon, 02 Jan 2006 15:04:05 GMT": 0, in10: 10 * time.Second,
	} {
		got := (&Response{Header: http.Header{"Retry-After": {value}}}).RetryAfter()
		if got > want || got < want-2*time.Second || got < 0 {
			t.Errorf("%q: %v", value, got)
		}
	}
	if got := (&Response{Header: http.Header{"Retry-After": {"99999999999"}}}).RetryAfter(); got < time.Hour {
		t.Error(got)
	}
}

func TestARetryAfterDateIsReadByTheServersClock(t *testing.T) {
	t.Parallel()
	for _, off := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		theirs := time.Now().Add(off).UTC()
		header := http.Header{
			"Date":        {theirs.Format(http.TimeFormat)},
			"Retry-After": {theirs.Add(7 * time.Second).Format(http.TimeFormat)},
		}
		if wait := (&Response{Header: header}).RetryAfter(); wait != 7*time.Second {
			t.Errorf("%v off: %v", off, wait)
		}
	}
}

func TestACertificateThatCannotBeTrustedSaysWhy(t *testing.T) {
	t.Parallel()
	server, root := serve(t, hello)
	ctx := t.Context()
	for _, test := range []struct {
		clock time.Time
		name  string
		says  string
	}{
		{time.Now().AddDate(200, 0, 0), "", "is this machine's clock right?"},
		{time.Now().AddDate(-200, 0, 0), "", "is this machine's clock right?"},
		{time.Time{}, "other.example", "of another name"},
	} {
		client := newClient(t, Trust{PEM: root, NoSystem: true, ServerName: test.name})
		client.http.Transport.(*http.Transport).TLSClientConfig.Time = func() time.Time {
			if test.clock.IsZero() {
				return time.Now()
			}
			return test.clock
		}
		if _, err := client.Get(ctx, server.URL); codeOf(err) != fault.NetworkError || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%v", err)
		}
	}
}

func TestAnAnswerThatBreaksOffSaysSo(t *testing.T) {
	t.Parallel()
	server, root := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10")
		_, _ = io.WriteString(w, "half")
	})
	_, err := newClient(t, Trust{PEM: root, NoSystem: true}).Get(t.Context(), server.URL)
	if codeOf(err) != fault.NetworkError || !strings.Contains(err.Error(), "broke off") {
		t.Errorf("%v", err)
	}
}

func TestADeadlineSaysWhoDidNotAnswer(t *testing.T) {
	t.Parallel()
	server, root := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := newClient(t, Trust{PEM: root, NoSystem: true}).Get(ctx, server.URL+"/dir")
	if !errors.Is(err, context.DeadlineExceeded) || codeOf(err) != fault.DeadlineExceeded || !strings.Contains(err.Error(), server.URL+"/dir") {
		t.Errorf("%v", err)
	}
}

// A server that sees the connection end may still answer, and net/http give us that answer.
// Its moment cannot be provoked, so a transport stands in that has it each time.
func TestWhatIsAnsweredToOurHangingUpIsNoAnswer(t *testing.T) {
	client := newClient(t, Trust{})
	ctx, cancel := context.WithCancel(t.Context())
	client.http = &http.Client{Transport: late(func(request *http.Request) (*http.Response, error) {
		cancel()
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: request}, nil
	})}
	_, err := client.Get(ctx, "https://ca.invalid/directory")
	if !errors.Is(err, context.Canceled) || codeOf(err) != fault.Cancelled {
		t.Errorf("%v", err)
	}
}

type late func(*http.Request) (*http.Response, error)

func (l late) RoundTrip(request *http.Request) (*http.Response, error) { return l(request) }

func TestAProxysPasswordIsInNoError(t *testing.T) {
	t.Parallel()
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusProxyAuthRequired)
	}))
	defer refusing.Close()
	for _, proxy := range []string{
		strings.Replace(refusing.URL, "http://", "http://user:s3cret@", 1),
		"http://user:s3cret@127.0.0.1:1", "https://user:s3cret@127.0.0.1:1", "socks5://user:s3cret@127.0.0.1:1",
	} {
		client, err := New(Config{Proxy: Proxy{HTTPS: proxy}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Get(t.Context(), "https://ca.example/dir")
		if codeOf(err) != fault.NetworkError || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%v", err)
		}
		client.Close()
	}
}

func TestAProxySettingThatIsNoURLIsRefused(t *testing.T) {
	t.Parallel()
	for _, proxy := range []string{"http://user:s3cret@host:port", "://s3cret", "http://", "s3cret host"} {
		_, err := New(Config{Proxy: Proxy{HTTPS: proxy}})
		if codeOf(err) != fault.InvalidEnvironment || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v", proxy, err)
		}
	}
}
