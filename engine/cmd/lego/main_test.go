package main

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/go-acme/lego/v5/cmd"
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

func TestTheFolderIsThatWhichLegosConfigurationNames(t *testing.T) {
	folder := t.TempDir()
	for text, want := range map[string]string{
		"storage: /etc/lego\n":                      "/etc/lego",
		"storage: 'it''s here' # ours\naccounts:\n": "it's here",
		"{storage: \"a\\u0062\", accounts: {}}":     "ab",
		"accounts:\n  storage:\n    email: a\n":     "",
	} {
		path := filepath.Join(folder, "lego.yml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if output, code := run(t, "storage", path); output != want || code != 0 {
			t.Errorf("%q: %q, exit code %d", text, output, code)
		}
	}
	for _, args := range [][]string{{"storage", filepath.Join(folder, "none")}, {"storage"}} {
		if _, code := run(t, args...); code == 0 {
			t.Errorf("%v: nothing is wrong", args)
		}
	}
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

// What lego's main does is done here: its exit codes, its log, what it does with signals.
func TestOurMainIsLegos(t *testing.T) {
	theirs := function(t, filepath.Join(legoDirectory(t, "{{.Dir}}"), "main.go"), "main")
	if ours := function(t, "main.go", "commandLine"); ours != theirs || ours == "" {
		t.Errorf("ours:\n%s\nlego's:\n%s", ours, theirs)
	}
}

func function(t *testing.T, path, name string) string {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, each := range file.Decls {
		if found, ok := each.(*ast.FuncDecl); ok && found.Name.Name == name {
			if err := format.Node(&source, files, found.Body); err != nil {
				t.Fatal(err)
			}
		}
	}
	return source.String()
}

func TestLegoHasNoCommandThatOursWouldHide(t *testing.T) {
	for _, each := range cmd.CreateRootCommand().Commands {
		for _, name := range each.Names() {
			if _, is := ours[name]; is {
				t.Errorf("lego has a command %q, too", name)
			}
		}
	}
}

func TestTheHiddenCommandIsNotForHands(t *testing.T) {
	for _, args := range [][]string{{"provider"}, {"provider", "httpreq"}, {"provider", "a", "b"}} {
		if output, code := run(t, args...); code != 2 || !strings.Contains(output, "not by hand") {
			t.Error(args, code, output)
		}
	}
}
