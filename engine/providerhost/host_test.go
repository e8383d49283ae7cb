//go:build unix

package providerhost

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"pylego/engine/fault"
)

func TestAProviderSaysHowItIsToBeDriven(t *testing.T) {
	p := newPool(t)
	for name, want := range map[string]Ready{
		"fake":       {Timeout: 7 * time.Second, Interval: 2 * time.Second},
		"sequential": {Timeout: 7 * time.Second, Interval: 2 * time.Second, Sequential: true, Pause: 3 * time.Second},
	} {
		got, err := acquire(t, p, Config{Provider: name}).Ready(context10s(t))
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestChallengeInfoIsLegos(t *testing.T) {
	lease := acquire(t, newPool(t), Config{Provider: "fake", Environment: []string{"LEGO_DISABLE_CNAME_SUPPORT=true"}})
	info, err := lease.ChallengeInfo(context10s(t), "example.com", "token.thumbprint")
	if err != nil {
		t.Fatal(err)
	}
	if info.FQDN != "_acme-challenge.example.com." || info.EffectiveFQDN != info.FQDN || len(info.Value) != 43 {
		t.Errorf("%+v", info)
	}
}

func TestTheHostHasExactlyTheGivenEnvironmentAndDirectory(t *testing.T) {
	t.Setenv("FROM_THE_ENGINE", "must not be seen")
	directory, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	lease := acquire(t, newPool(t), Config{
		Provider:    "fake",
		Environment: []string{"ONE=1", "RAW=\xff\xfe", "EMPTY=", "TWICE=a", "TWICE=b"},
		Directory:   directory,
	})
	if err := lease.Present(context10s(t), "environment.example", "t", "k"); err != nil {
		t.Fatal(err)
	}
	logs.wait(t, `environment ["EMPTY=" "ONE=1" "RAW=\xff\xfe" "TWICE=b"] in `+directory)
}

func TestFaultsOfAProviderAreTypedErrorsThatNameIt(t *testing.T) {
	for action, parts := range map[string][]string{
		"fail":      {"could not present the record for fail.example", "fail: the API says no"},
		"panic":     {"the provider panicked: present boom"},
		"goroutine": {"its process ended with code 2", "panic: goroutine boom"},
		"exit":      {"its process ended with code 1", "cannot go on, password [redacted]"},
		"garbage":   {"its process was ended by signal: killed"},
		"flood":     {"its process was ended by signal: killed"},
		"deaf":      {"its process was ended by signal: killed"},
		"print":     {"print: did not work", `it last said "printed to stderr..."`},
	} {
		t.Run(action, func(t *testing.T) {
			p := newPool(t)
			lease := acquire(t, p, Config{
				Provider: "fake", Environment: []string{"FAKE_PASSWORD=hunter2hunter2"},
			})
			err := lease.Present(context10s(t), action+".example", "t", "k")
			var typed *fault.Error
			if !errors.As(err, &typed) || typed.Code != fault.DNSProviderFailed {
				t.Fatalf("%T %v", err, err)
			}
			mustContain(t, err.Error(), append(parts, "DNS provider fake")...)

			// It takes no new orders; the next one is served by a new host.
			next := acquire(t, p, Config{
				Provider: "fake", Environment: []string{"FAKE_PASSWORD=hunter2hunter2"},
			})
			if next.host == lease.host {
				t.Error("the host is used again")
			}
			if err := next.Present(context10s(t), "ok.example", "t", "k"); err != nil {
				t.Error(err)
			}
			if strings.Contains(logs.all(), "hunter2hunter2") {
				t.Error("a secret is in the log")
			}
		})
	}
}

func TestAProviderSaysWhetherTheNetworkFailedAndWhetherItMayHaveWritten(t *testing.T) {
	p := newPool(t)
	for action, want := range map[string]struct{ network, unsure bool }{
		"unreachable": {network: true},
		"undialled":   {network: true},
		"unheard":     {network: true, unsure: true},
		"panic":       {unsure: true},
		"exit":        {unsure: true},
		"fail":        {},
	} {
		lease := acquire(t, p, Config{Provider: "fake"})
		var typed *fault.Error
		err := lease.Present(context10s(t), action+".example", "t", "k")
		if !errors.As(err, &typed) || typed.Network != want.network || Unsure(err) != want.unsure {
			t.Errorf("%s: %+v", action, err)
		}
		lease.Release()
	}
}

func TestWhatAProviderPrintsIsLogged(t *testing.T) {
	p := newPool(t)
	lease := acquire(t, p, Config{Provider: "fake"})
	_ = lease.Present(context10s(t), "print.example", "t", "k")
	lease.Release()
	p.Close()
	logs.wait(t, "printed to stdout provider=fake stream=stdout")
	logs.wait(t, "printed to stderr provider=fake stream=stderr")
}

func TestAConstructorsFaultsAreTypedErrors(t *testing.T) {
	for name, parts := range map[string][]string{
		"refuse":             {"DNS provider refuse could not be made", "bad password [redacted]", `it last said "my password is [redacted]"`},
		"lacks":              {"DNS provider lacks could not be made", "FAKE_USER,FAKE_KEY or", HowToGive},
		"constructor-panics": {"the provider panicked: constructor boom"},
		"constructor-dies":   {"its process ended with code 1", "constructor gives up"},
		"cloudfare":          {`lego has no DNS provider "cloudfare"; did you mean cloudflare?`},
		"acme_dns":           {`lego has no DNS provider "acme_dns"; did you mean acme-dns?`},
		"no":                 {`lego has no DNS provider "no"`},
		"azure":              {`lego has no DNS provider "azure" any more, since its version 5; azuredns has taken its place`},
		"cloudxns":           {`lego has no DNS provider "cloudxns" any more, since its version 5`},
		"manual":             {"`pylego lego run`"},
		"":                   {"no DNS provider is named"},
	} {
		t.Run(name, func(t *testing.T) {
			lease, err := newPool(t).Acquire(context10s(t), Config{
				Provider: name, Environment: []string{"FAKE_PASSWORD=hunter2hunter2"},
			})
			if err == nil {
				defer lease.Release()
				_, err = lease.Ready(context10s(t))
			}
			want := fault.DNSProviderFailed
			switch name {
			case "cloudfare", "acme_dns", "no", "azure", "cloudxns":
				want = fault.UnknownProvider
			case "lacks":
				want = fault.MissingCredentials
			}
			var typed *fault.Error
			if !errors.As(err, &typed) || typed.Code != want {
				t.Fatalf("%T %v", err, err)
			}
			if name == "lacks" && !slices.Equal(typed.Missing, []string{"FAKE_USER", "FAKE_KEY", "FAKE_TOKEN"}) {
				t.Error(typed.Missing)
			}
			mustContain(t, err.Error(), parts...)
			if strings.Contains(err.Error(), "hunter2hunter2") {
				t.Error("a secret is in", err)
			}
		})
	}
}

func TestADeadlineEndsAHangingConstructor(t *testing.T) {
	p := newPool(t)
	lease := acquire(t, p, Config{Provider: "constructor-hangs", Environment: []string{"MARK=alone"}})
	logs.wait(t, "constructor hangs alone")
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := lease.Ready(ctx)
	var typed *fault.Error
	if !errors.As(err, &typed) || typed.Code != fault.DeadlineExceeded || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%T %v", err, err)
	}
	mustContain(t, err.Error(), "DNS provider constructor-hangs was still starting", `it last said "waiting for a metadata service"`)
	lease.Release()
	within(t, "the end of the host", lease.host.ended)
}

func TestACancelledCallThatReturnsKeepsTheHostForItsOrder(t *testing.T) {
	p := newPool(t)
	lease := ready(t, acquire(t, p, Config{Provider: "fake"}))
	if err := lease.Present(context10s(t), "first.example", "t", "k"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { logs.wait(t, "slow slow.kept"); cancel() }()
	err := lease.Present(ctx, "slow.kept", "t", "k")
	var typed *fault.Error
	if !errors.As(err, &typed) || typed.Code != fault.Cancelled || !errors.Is(err, context.Canceled) {
		t.Fatalf("%T %v", err, err)
	}
	if err := lease.CleanUp(context10s(t), "first.example", "t", "k"); err != nil {
		t.Error(err)
	}
}

func TestAHangingCallIsKilledWithAllItStarted(t *testing.T) {
	lease := ready(t, acquire(t, newPool(t), Config{Provider: "fake"}))
	ctx, cancel := context.WithCancel(t.Context())
	var child int
	go func() {
		line := logs.wait(t, "childhang ")
		child, _ = strconv.Atoi(strings.Fields(line)[1])
		cancel()
	}()
	err := lease.Present(ctx, "childhang.example", "t", "k")
	mustContain(t, err.Error(), "it does not return", "the call was cancelled")
	if !Gone(err) {
		t.Error("not gone:", err)
	}
	within(t, "the end of the host", lease.host.ended)
	waitGone(t, child)
	if lease.Alive() {
		t.Error("alive")
	}
}

func TestAProgramLeftRunningDoesNotKeepUs(t *testing.T) {
	p := newPool(t)
	lease := ready(t, acquire(t, p, Config{Provider: "fake"}))
	if err := lease.Present(context10s(t), "child.example", "t", "k"); err != nil {
		t.Fatal(err)
	}
	child, _ := strconv.Atoi(strings.Fields(logs.wait(t, "child "))[1])
	defer func() { _ = syscall.Kill(child, syscall.SIGKILL) }()
	lease.Release()
	p.Close() // the program holds the host's stdout and stderr, but not its pipes
	within(t, "the end of the host", lease.host.ended)
	if err := syscall.Kill(child, 0); err != nil {
		t.Error("a program that the provider left running after an ordinary end was killed:", err)
	}
}

func TestSignalsForTheWholeTreeDoNotEndAHost(t *testing.T) {
	lease := ready(t, acquire(t, newPool(t), Config{Provider: "fake"}))
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE} {
		if err := lease.host.process.os.Signal(signal); err != nil {
			t.Fatal(err)
		}
	}
	if err := lease.Present(context10s(t), "ok.example", "t", "k"); err != nil {
		t.Error(err)
	}
	if group, err := syscall.Getpgid(lease.host.process.os.Pid); err != nil || group == syscall.Getpgrp() {
		t.Error("the host is in our process group", err)
	}
}

func TestAnExecutableThatCannotRunIsOneSentence(t *testing.T) {
	t.Cleanup(func() { SetExecutable(os.Args[0]) })
	notExecutable := filepath.Join(t.TempDir(), "lego")
	if err := os.WriteFile(notExecutable, []byte("no program"), 0o600); err != nil {
		t.Fatal(err)
	}
	noProgram := filepath.Join(t.TempDir(), "lego")
	if err := os.WriteFile(noProgram, []byte("no program"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"", "/nowhere/lego", notExecutable, noProgram} {
		SetExecutable(path)
		_, err := acquire(t, newPool(t), Config{Provider: "fake"}).Ready(context10s(t))
		if err == nil {
			t.Fatal("started", path)
		}
		mustContain(t, err.Error(), "HTTP-01 and TLS-ALPN-01 still work")
	}
	SetExecutable(os.Args[0])
	_, err := acquire(t, newPool(t), Config{Provider: "fake", Directory: "/nowhere"}).Ready(context10s(t))
	mustContain(t, err.Error(), "working directory")
}

func TestAnEnvironmentWithNULIsRefused(t *testing.T) {
	_, err := newPool(t).Acquire(context10s(t), Config{Provider: "fake", Environment: []string{"TOKEN=a\x00secret"}})
	var typed *fault.Error
	if !errors.As(err, &typed) || typed.Code != fault.InvalidEnvironment || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
}

func TestServeByHandSaysSo(t *testing.T) {
	process, err := os.StartProcess(os.Args[0], []string{"lego", "provider", "fake"}, &os.ProcAttr{Env: []string{}})
	if err != nil {
		t.Fatal(err)
	}
	state, err := process.Wait()
	if err != nil || state.ExitCode() != exitMisused {
		t.Error(state, err)
	}
}

func waitGone(t *testing.T, pid int) {
	t.Helper()
	// The killed child of a killed host is reaped by whoever adopts it.
	for deadline := time.Now().Add(20 * time.Second); running(pid); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("process", pid, "lives")
		}
	}
}

func running(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return true
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(after, "Z") // not yet reaped by the one who adopted it
}
