package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// provider writes a provider's source and reads it.
func provider(t *testing.T, body string) *source {
	t.Helper()
	directory := t.TempDir()
	text := `package fake

import "github.com/go-acme/lego/v5/platform/env"

const (
	envNamespace = "FAKE_"
	EnvUser      = envNamespace + "USER"
	EnvKey       = envNamespace + "KEY"
)

func other(name string) string { return strings.ReplaceAll(name, envNamespace, "OTHER_") }

` + body
	if err := os.WriteFile(filepath.Join(directory, "fake.go"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	read, err := parse(directory)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func TestWhatAConstructorWantsIsReadOfItsFirstStatements(t *testing.T) {
	const fails = "\n\tif err != nil {\n\t\treturn nil, err\n\t}\n"
	for name, test := range map[string]struct {
		body string
		want Way
	}{
		"all at once":       {"v, err := env.Get(EnvUser, EnvKey)" + fails + "return v, nil", Way{{"FAKE_USER"}, {"FAKE_KEY"}}},
		"other names":       {"v, err := env.GetWithFallback([]string{EnvKey, other(EnvKey)})" + fails + "return v, nil", Way{{"FAKE_KEY", "OTHER_KEY"}}},
		"two statements":    {"v, err := env.Get(EnvUser)" + fails + "v, err = env.Get(EnvKey)" + fails + "return v, nil", Way{{"FAKE_USER"}, {"FAKE_KEY"}}},
		"another way":       {"v, err := env.Get(EnvUser)\nif err != nil {\n\tv, err = env.Get(EnvKey)\n}" + fails + "return v, nil", nil},
		"a way out before":  {"if ready() {\n\treturn v, nil\n}\nv, err := env.Get(EnvUser)" + fails + "return v, nil", nil},
		"success is enough": {"v, err := env.Get(EnvUser)\nif err == nil {\n\treturn v, nil\n}\nreturn nil, err", nil},
		"nothing certain":   {"return env.GetOrFile(EnvUser), nil", nil},
		"an unknown name":   {"v, err := env.Get(name())" + fails + "return v, nil", nil},
	} {
		got := provider(t, "func NewDNSProvider() (*DNSProvider, error) {\n"+test.body+"\n}\n").wants()
		if !slices.EqualFunc(got, test.want, slices.Equal) {
			t.Errorf("%s: %q, not %q", name, got, test.want)
		}
	}
}

func TestEveryNameThatTheSourceReadsIsFound(t *testing.T) {
	read := provider(t, `
func NewDefaultConfig() *Config {
	return &Config{
		TTL:  env.GetOneWithFallback(EnvTTL, 1, strconv.Atoi, other(EnvTTL)),
		Zone: env.GetOrDefaultString("FAKE_ZONE", ""),
		Mode: os.Getenv("FAKE_MODE"),
	}
}

const EnvTTL = envNamespace + "TTL"

func (d *DNSProvider) Sequential() time.Duration { return 0 }
`)
	want := map[string]string{
		"FAKE_USER": "", "FAKE_KEY": "", "FAKE_TTL": "", "FAKE_ZONE": "", "FAKE_MODE": "", "OTHER_TTL": "FAKE_TTL",
	}
	for name, main := range want {
		if got, found := read.names[name]; !found || got != main {
			t.Errorf("%s: %q, %v", name, got, found)
		}
	}
	if len(read.names) != len(want) {
		t.Error(read.names)
	}
	if !read.sequential() {
		t.Error("not sequential")
	}
}

func TestAProviderRemembersWhatPresentPutsAndCleanUpAsksFor(t *testing.T) {
	for name, test := range map[string]struct {
		present, cleanUp string
		want             bool
	}{
		"an ID":             {"d.ids[token] = 1", "id, ok := d.ids[token]", true},
		"the next ID":       {"d.ids[token] = 1", "remove(d.ids[token])", true},
		"a cache":           {"zone := d.zones[token]", "zone := d.zones[token]", false},
		"never asked for":   {"d.ids[token] = 1", "delete(d.ids, token)", false},
		"somebody else's":   {"info.ids[token] = 1", "id := info.ids[token]", false},
		"two different":     {"d.ids[token] = 1", "zone := d.zones[token]", false},
		"another's setting": {"d.mode = 1", "mode := d.mode", false},
	} {
		read := provider(t, "func (d *DNSProvider) Present(token string) error {\n"+test.present+"\n}\n"+
			"func (d *DNSProvider) CleanUp(token string) error {\n"+test.cleanUp+"\n}\n")
		if read.remembers != test.want {
			t.Errorf("%s: %v", name, read.remembers)
		}
	}
}

func TestAProviderForgetsWhatItHasNotYetTakenAway(t *testing.T) {
	const silent, loud = "\nif !ok {\n\treturn nil\n}\n", "\nif !ok {\n\treturn errors.New(token)\n}\n"
	for name, test := range map[string]struct {
		cleanUp string
		want    bool
	}{
		"before":            {silent + "delete(d.ids, token)\nreturn d.client.Delete(id)", true},
		"after":             {silent + "err := d.client.Delete(id)\ndelete(d.ids, token)\nreturn err", false},
		"before, but tells": {loud + "delete(d.ids, token)\nreturn d.client.Delete(id)", false},
	} {
		read := provider(t, "func (d *DNSProvider) CleanUp(token string) error {\nid, ok := d.ids[token]"+test.cleanUp+"\n}\n")
		if read.forgets != test.want {
			t.Errorf("%s: %v", name, read.forgets)
		}
	}
}

func TestADefaultIsTakenOutOfTheDescription(t *testing.T) {
	for text, want := range map[string][2]string{
		"Time in seconds (Default: 2)":          {"Time in seconds", "2"},
		"Timeout (Default: )":                   {"Timeout", ""},
		"Zone (default: 'x'), of the account":   {"Zone, of the account", "x"},
		"Wait (Default: 60 (one minute)), long": {"Wait, long", "60 (one minute)"},
		"A name (since v3)":                     {"A name (since v3)", ""},
	} {
		variable := (&Provider{}).variable("FAKE_X", text)
		value := ""
		if variable.Default != nil {
			value = *variable.Default
		}
		if got := [2]string{variable.Description, value}; got != want {
			t.Errorf("%s: %q", text, got)
		}
	}
}

func TestANameThatIsMissingOrNotAcceptedIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "names.go")
	if err := os.WriteFile(path, []byte("package main\n\nvar names = []string{\"a\", \"b\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		provider Provider
		complete bool
	}{
		{Provider{Code: "a", Aliases: []string{"b"}}, true},
		{Provider{Code: "a"}, false},
		{Provider{Code: "a", Aliases: []string{"b", "c"}}, false},
	} {
		catalogue := &Catalogue{Providers: []*Provider{&test.provider}}
		if err := catalogue.complete(path); (err == nil) != test.complete {
			t.Errorf("%v: %v", test.provider, err)
		}
	}
}

// The files in the wheel are those of the version in go.mod.
func TestTheFilesAreWhatLegoSays(t *testing.T) {
	t.Chdir("../..")
	if err := run(true); err != nil {
		t.Error(err)
	}
}
