//go:build unix

package providerhost

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-acme/lego/v5/challenge"
	legolog "github.com/go-acme/lego/v5/log"
)

// The test binary is its own lego: as `lego provider NAME` it serves fake
// providers with faults that no real one can be made to have.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "provider" {
		// Not os.Exit: under the race detector it sleeps for a second.
		syscall.Exit(Serve(os.Args[2], newFake, []string{"fake", "cloudflare", "acme-dns"}))
	}
	if len(os.Args) == 2 && os.Args[1] == "middleman" {
		middleman()
	}
	SetExecutable(os.Args[0])
	slog.SetDefault(slog.New(&logs))
	code := m.Run()
	os.RemoveAll(builtLego)
	os.Exit(code)
}

func newFake(name string) (challenge.Provider, error) {
	switch name {
	case "fake":
		return &fake{presented: map[string]bool{}}, nil
	case "sequential":
		return sequentialFake{&fake{presented: map[string]bool{}}}, nil
	case "lacks":
		return nil, errors.New("lacks: some credentials information are missing: FAKE_USER,FAKE_KEY or some credentials information are missing: FAKE_TOKEN,FAKE_KEY")
	case "refuse":
		fmt.Fprintln(os.Stderr, "my password is", os.Getenv("FAKE_PASSWORD"))
		return nil, errors.New("refuse: bad password " + os.Getenv("FAKE_PASSWORD"))
	case "constructor-hangs":
		fmt.Fprintln(os.Stderr, "waiting for a metadata service")
		legolog.Info("constructor hangs " + os.Getenv("MARK"))
		select {}
	case "constructor-panics":
		panic("constructor boom")
	case "constructor-dies":
		fmt.Fprintln(os.Stderr, "constructor gives up")
		syscall.Exit(1)
	}
	return nil, fmt.Errorf("unrecognized DNS provider: %s", name)
}

// fake does what the domain says, and knows only the records of this process,
// like the providers that keep record IDs in memory.
type fake struct {
	mu        sync.Mutex
	presented map[string]bool
}

type sequentialFake struct{ *fake }

func (sequentialFake) Sequential() time.Duration { return 3 * time.Second }

func (*fake) Timeout() (time.Duration, time.Duration) { return 7 * time.Second, 2 * time.Second }

func (f *fake) Present(ctx context.Context, domain, _, _ string) error {
	action, _, _ := strings.Cut(domain, ".")
	switch action {
	case "panic":
		panic("present boom")
	case "goroutine":
		go func() { panic("goroutine boom") }()
		select {}
	case "hang":
		legolog.Info("hangs " + domain)
		select {}
	case "slow":
		legolog.Info("slow " + domain)
		<-ctx.Done()
		return ctx.Err()
	case "exit":
		fmt.Fprintln(os.Stderr, "cannot go on, password", os.Getenv("FAKE_PASSWORD"))
		syscall.Exit(1)
	case "garbage":
		_, _ = os.NewFile(4, "").WriteString("Hello from a provider\n")
		select {}
	case "flood":
		_, _ = os.NewFile(4, "").Write(bytes.Repeat([]byte("x"), maxFrame+8192))
		select {}
	case "deaf":
		os.NewFile(4, "").Close()
		select {}
	case "print":
		fmt.Println("printed to stdout")
		fmt.Fprint(os.Stderr, "printed to stderr")
		return errors.New("print: did not work")
	case "environment":
		directory, _ := os.Getwd()
		legolog.Info(fmt.Sprintf("environment %q in %s", os.Environ(), directory))
	case "child":
		child := exec.Command("/bin/sh", "-c", "exec sleep 600")
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		if err := child.Start(); err != nil {
			return err
		}
		legolog.Info(fmt.Sprintf("child %d", child.Process.Pid))
	case "childhang":
		child := exec.Command("/bin/sh", "-c", "sleep 600; true")
		if err := child.Start(); err != nil {
			return err
		}
		legolog.Info(fmt.Sprintf("childhang %d", child.Process.Pid))
		select {}
	case "unreachable":
		return fmt.Errorf("unreachable: %w", &url.Error{Op: "Post", URL: "http://dns.example", Err: syscall.ECONNREFUSED})
	case "unheard":
		return fmt.Errorf("unheard: %w", &url.Error{Op: "Post", URL: "http://dns.example", Err: context.DeadlineExceeded})
	case "undialled":
		return fmt.Errorf("undialled: %w", &net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded})
	case "fail":
		return errors.New("fail: the API says no")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.presented[domain] = true
	return nil
}

func (f *fake) CleanUp(_ context.Context, domain, _, _ string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.presented[domain] {
		return errors.New("unknown record ID for " + domain)
	}
	delete(f.presented, domain)
	return nil
}

// logs is the process's log; tests wait for lines instead of sleeping.
var logs = logBook{changed: make(chan struct{})}

type logBook struct {
	mu      sync.Mutex
	lines   []string
	changed chan struct{}
}

func (*logBook) Enabled(context.Context, slog.Level) bool { return true }
func (b *logBook) WithAttrs([]slog.Attr) slog.Handler     { return b }
func (b *logBook) WithGroup(string) slog.Handler          { return b }
func (b *logBook) Handle(_ context.Context, r slog.Record) error {
	line := r.Message
	r.Attrs(func(a slog.Attr) bool { line += " " + a.String(); return true })
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, line)
	close(b.changed)
	b.changed = make(chan struct{})
	return nil
}

func (b *logBook) wait(t *testing.T, text string) string {
	t.Helper()
	for deadline := time.After(20 * time.Second); ; {
		b.mu.Lock()
		changed := b.changed
		for _, line := range b.lines {
			if strings.Contains(line, text) {
				b.mu.Unlock()
				return line
			}
		}
		b.mu.Unlock()
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("no log line has %q", text)
		}
	}
}

func (b *logBook) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = nil
}

func (b *logBook) all() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.lines, "\n")
}

// newPool is closed, and found empty, at the test's end.
func newPool(t *testing.T) *Pool {
	t.Helper()
	logs.forget()
	before := runtime.NumGoroutine()
	p := NewPool()
	t.Cleanup(func() {
		p.Close()
		for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				buffer := make([]byte, 1<<20)
				t.Fatalf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), buffer[:runtime.Stack(buffer, true)])
			}
		}
	})
	return p
}

func context10s(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func acquire(t *testing.T, p *Pool, config Config) *Lease {
	t.Helper()
	lease, err := p.Acquire(context10s(t), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(lease.Release)
	return lease
}

func ready(t *testing.T, lease *Lease) *Lease {
	t.Helper()
	if _, err := lease.Ready(context10s(t)); err != nil {
		t.Fatal(err)
	}
	return lease
}

func mustContain(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in: %s", part, text)
		}
	}
}

func within(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("never:", what)
	}
}

var builtLego string // a directory to remove

// lego is the real executable: PYLEGO_LEGO names a built one, else it is built once.
var lego = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("PYLEGO_LEGO"); path != "" {
		return path, nil
	}
	directory, err := os.MkdirTemp("", "lego")
	if err != nil {
		return "", err
	}
	builtLego = directory
	path := filepath.Join(directory, "lego")
	build := exec.Command("go", "build", "-trimpath", "-gcflags=all=-dwarf=false", "-ldflags=-s -w", "-o", path, "pylego/engine/cmd/lego")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, output)
	}
	return path, nil
})

func withRealLego(t *testing.T) {
	t.Helper()
	path, err := lego()
	if err != nil {
		t.Fatal(err)
	}
	SetExecutable(path)
	t.Cleanup(func() { SetExecutable(os.Args[0]) })
}
