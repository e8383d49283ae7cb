package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/go-acme/lego/v5/providers/dns"
)

// The test binary is also the program: linking it twice takes a minute.
func TestMain(m *testing.M) {
	if os.Getenv("PYLEGO_TEST_MAIN") != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func run(t *testing.T, args ...string) (output string, code int) {
	t.Helper()
	command := exec.Command(os.Args[0], args...)
	command.Env = append(os.Environ(), "PYLEGO_TEST_MAIN=1")
	var both bytes.Buffer
	command.Stdout, command.Stderr = &both, &both
	_ = command.Run()
	return both.String(), command.ProcessState.ExitCode()
}

// legoDirectory is lego's source, of the version that is linked.
func legoDirectory(t *testing.T, format string) string {
	t.Helper()
	output, err := exec.Command("go", "list", "-m", "-f", format, "github.com/go-acme/lego/v5").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(output))
}

func TestProviderNamesAreExactlyThoseLegoAccepts(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(legoDirectory(t, "{{.Dir}}"), "providers", "dns", "zz_gen_dns_providers.go"))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, line := range regexp.MustCompile(`(?m)^\tcase (.*):$`).FindAllSubmatch(source, -1) {
		for _, name := range strings.Split(string(line[1]), ", ") {
			want = append(want, strings.Trim(name, `"`))
		}
	}
	slices.Sort(want)
	if !slices.Equal(providerNames, want) {
		t.Error("names.go is out of date: run go generate")
	}
	if _, err := dns.NewDNSChallengeProviderByName("no-such-provider"); err == nil || !strings.HasPrefix(err.Error(), "unrecognized DNS provider") {
		t.Error("lego words its refusal of an unknown name differently, which the host relies on:", err)
	}
}

func TestTheVersionIsLegos(t *testing.T) {
	want := "lego version " + strings.TrimPrefix(legoDirectory(t, "{{.Version}}"), "v") + " " + runtime.GOOS + "/" + runtime.GOARCH + "\n"
	if got, code := run(t, "--version"); got != want || code != 0 {
		t.Errorf("%q, code %d; want %q", got, code, want)
	}
}

func TestItIsLegosCommandLine(t *testing.T) {
	help, code := run(t, "--help")
	if code != 0 || !strings.Contains(help, "ACME client written in Go") || strings.Contains(help, "provider NAME") {
		t.Error(code, help)
	}
	if output, code := run(t, "nonsense"); code != 1 || !strings.Contains(output, "unknown command") {
		t.Error(code, output)
	}
}

func TestTheHiddenCommandIsNotForHands(t *testing.T) {
	for _, args := range [][]string{{"provider"}, {"provider", "httpreq"}, {"provider", "a", "b"}} {
		if output, code := run(t, args...); code != 2 || !strings.Contains(output, "not by hand") {
			t.Error(args, code, output)
		}
	}
}
