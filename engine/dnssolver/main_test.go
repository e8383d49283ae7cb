//go:build unix

package dnssolver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	legoacme "github.com/go-acme/lego/v5/acme"
	"github.com/go-acme/lego/v5/challenge"
	"github.com/go-acme/lego/v5/challenge/dns01"

	"pylego/engine/acme"
	"pylego/engine/providerhost"
)

// The test binary is its own `lego provider NAME`, with providers that ask the
// test what to do.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "provider" {
		// Not os.Exit: under the race detector it sleeps for a second.
		syscall.Exit(providerhost.Serve(os.Args[2], newRemote, nil))
	}
	providerhost.SetExecutable(os.Args[0])
	os.Exit(m.Run())
}

func newRemote(name string) (challenge.Provider, error) {
	if as := os.Getenv("MADE"); as != "" {
		misbehave(as)
	}
	if name == "onetxt" {
		pause, err := time.ParseDuration(os.Getenv("PAUSE"))
		return sequentialRemote{pause: pause}, err
	}
	if slices.Contains(remembering, name) {
		return rememberingRemote{presented: &sync.Map{}}, nil
	}
	return remote{}, nil
}

// misbehave does what no provider should; it may return.
func misbehave(as string) {
	fmt.Fprintf(os.Stderr, "about to: %s\n", as)
	switch as {
	case "hang":
		if response, err := http.Post(os.Getenv("ENDPOINT")+"/hangs", "", nil); err == nil {
			response.Body.Close()
		}
		select {}
	case "stop": // hangs as a whole
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		select {} // it is stopped a moment after
	case "panic":
		panic("something is wrong")
	case "crash":
		go func() { panic("something is wrong") }()
		select {}
	case "print":
		fmt.Println("on stdout")
	case "garble":
		_, _ = os.NewFile(4, "").WriteString("on the pipe\n")
	case "exit":
		syscall.Exit(1)
	case "kill":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

type remote struct{}

// rememberingRemote finds a record only where it was presented.
type rememberingRemote struct {
	remote
	presented *sync.Map
}

func (r rememberingRemote) Present(ctx context.Context, domain, token, keyAuth string) error {
	if err := r.remote.Present(ctx, domain, token, keyAuth); err != nil {
		return err
	}
	r.presented.Store(token, true)
	return nil
}

func (r rememberingRemote) CleanUp(ctx context.Context, domain, token, keyAuth string) error {
	if _, found := r.presented.Load(token); !found {
		return nil // as some do
	}
	if os.Getenv("FORGETS") != "" {
		r.presented.Delete(token)
	}
	return r.remote.CleanUp(ctx, domain, token, keyAuth)
}

type sequentialRemote struct {
	remote
	pause time.Duration
}

func (s sequentialRemote) Sequential() time.Duration { return s.pause }

func (remote) Timeout() (time.Duration, time.Duration) {
	return 10 * time.Second, 100 * time.Millisecond
}

func (remote) Present(ctx context.Context, domain, _, keyAuth string) error {
	return ask(ctx, "present", domain, keyAuth)
}

func (remote) CleanUp(ctx context.Context, domain, _, keyAuth string) error {
	return ask(ctx, "cleanup", domain, keyAuth)
}

func ask(ctx context.Context, action, domain, keyAuth string) error {
	info := dns01.GetChallengeInfo(ctx, domain, keyAuth)
	query := url.Values{"fqdn": {info.EffectiveFQDN}, "value": {info.Value}, "pid": {fmt.Sprint(os.Getpid())}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, os.Getenv("ENDPOINT")+"/"+action+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	if as, told := strings.CutPrefix(string(body), "misbehave: "); told {
		misbehave(as)
		return nil
	}
	if as, told := strings.CutPrefix(string(body), "afterwards: "); told {
		go func() {
			if response, err := http.Post(os.Getenv("ENDPOINT")+"/wait", "", nil); err == nil {
				response.Body.Close()
				misbehave(as)
			}
		}()
		return nil
	}
	if len(body) == 0 {
		return nil
	}
	return errors.New(string(body))
}

// api is a DNS provider's API as a test sees it.
type api struct {
	*httptest.Server
	mu      sync.Mutex
	records map[string][]string
	calls   []string
	pids    []int
	running int
	most    int                                // calls at once
	answer  func(action, fqdn string) string   // what the provider is to do
	during  func(action, fqdn string, now int) // while a call runs
	hangs   func()                             // when a provider told to hang does
	wait    chan struct{}                      // closed when one told to misbehave afterwards is to do so
}

func newAPI(t *testing.T) *api {
	a := &api{
		records: map[string][]string{},
		answer:  func(string, string) string { return "" },
		hangs:   func() {},
		during:  func(string, string, int) {},
	}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	action, fqdn, value := r.URL.Path[1:], r.FormValue("fqdn"), r.FormValue("value")
	switch action {
	case "hangs":
		a.hangs()
		return
	case "wait":
		<-a.wait
		return
	}
	a.mu.Lock()
	a.running++
	now := a.running
	a.most = max(a.most, now)
	during, decide := a.during, a.answer
	a.mu.Unlock()
	during(action, fqdn, now)

	answer := decide(action, fqdn)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running--
	a.calls = append(a.calls, action+" "+fqdn)
	pid, _ := strconv.Atoi(r.FormValue("pid"))
	a.pids = append(a.pids, pid)
	// A provider that misbehaves has written, and has not deleted; one that prints goes on.
	if answer == "" || strings.Contains(answer, ": ") && (action == "present" || strings.HasSuffix(answer, "print")) {
		a.records[fqdn] = slices.DeleteFunc(a.records[fqdn], func(v string) bool { return v == value })
		if action == "present" {
			a.records[fqdn] = append(a.records[fqdn], value)
		}
	}
	if strings.HasPrefix(answer, "lost: ") {
		panic(http.ErrAbortHandler)
	}
	_, _ = io.WriteString(w, answer)
}

func (a *api) set(during func(action, fqdn string, now int), answer func(action, fqdn string) string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if during != nil {
		a.during = during
	}
	if answer != nil {
		a.answer = answer
	}
}

func (a *api) txt(fqdn string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.records[fqdn])
}

func (a *api) left() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	count := 0
	for _, values := range a.records {
		count += len(values)
	}
	return count
}

func (a *api) config(t *testing.T, provider string, environment ...string) Config {
	t.Helper()
	pool := providerhost.NewPool()
	t.Cleanup(pool.Close)
	return Config{
		Config: providerhost.Config{
			Provider: provider,
			// The last one is whose it is, as far as lanes are concerned: other tests run beside this one.
			Environment: append([]string{"ENDPOINT=" + a.URL, "LEGO_DISABLE_CNAME_SUPPORT=1", strings.ToUpper(provider) + "_ENDPOINT=" + a.URL}, environment...),
		},
		Pool: pool,
	}
}

func solver(t *testing.T, config Config) *Solver {
	t.Helper()
	s := New(config)
	t.Cleanup(s.Release)
	return s
}

func answerFor(name, key string) acme.Answer {
	return acme.Answer{Identifier: legoacme.Identifier{Type: "dns", Value: name}, Token: key, KeyAuthorization: key + ".thumbprint"}
}

func context20s(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
