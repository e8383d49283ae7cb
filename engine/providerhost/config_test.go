package providerhost

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestWhatMakesTwoConfigsOneHost(t *testing.T) {
	base := func() Config {
		return Config{Provider: "fake", Environment: []string{"A=1", "B=2"}, Directory: "/", Resolvers: []string{"127.0.0.1:53"}}
	}
	same := base()
	same.Environment = []string{"B=2", "A=0", "A=1"}
	if same.hostKey() != base().hostKey() {
		t.Error("order, and a value replaced by a later one, make a difference")
	}
	for name, change := range map[string]func(*Config){
		"provider":    func(c *Config) { c.Provider = "other" },
		"environment": func(c *Config) { c.Environment[1] = "B=3" },
		"boundary":    func(c *Config) { c.Environment = []string{"A=1B=2"} },
		"directory":   func(c *Config) { c.Directory = "/other" },
		"resolvers":   func(c *Config) { c.Resolvers = nil },
	} {
		other := base()
		change(&other)
		if other.hostKey() == base().hostKey() {
			t.Error(name, "makes no difference")
		}
	}
	if key := base().hostKey(); strings.Contains(key, "fake") || len(key) != 32 {
		t.Errorf("%q", key)
	}
}

func TestWhatMakesTwoConfigsTheSameCredentials(t *testing.T) {
	directory := t.TempDir()
	if err := os.WriteFile(filepath.Join(directory, "token"), []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	credentials := func(environment ...string) string {
		counts := func(name string) bool { return strings.HasPrefix(name, "FAKE_") }
		return Config{Provider: "fake", Environment: environment, Directory: directory}.Credentials("fake", counts)
	}
	base := credentials("FAKE_USER=user", "FAKE_TOKEN=secret")
	for name, environment := range map[string][]string{
		"another order":       {"FAKE_TOKEN=secret", "FAKE_USER=user"},
		"what does not count": {"FAKE_USER=user", "FAKE_TOKEN=secret", "OTHER=1"},
		"an empty setting":    {"FAKE_USER=user", "FAKE_TOKEN=secret", "FAKE_ZONE="},
		"another name":        {"FAKE_USER=user", "FAKE_APITOKEN=secret"},
		"a file":              {"FAKE_USER=user", "FAKE_TOKEN_FILE=token"},
	} {
		if credentials(environment...) != base {
			t.Error(name, "makes a difference")
		}
	}
	for name, environment := range map[string][]string{
		"a value":      {"FAKE_USER=user", "FAKE_TOKEN=other"},
		"one less":     {"FAKE_TOKEN=secret"},
		"another file": {"FAKE_USER=user", "FAKE_TOKEN_FILE=missing"},
	} {
		if credentials(environment...) == base {
			t.Error(name, "makes no difference")
		}
	}
	if strings.Contains(base, "secret") || len(base) != 32 {
		t.Errorf("%q", base)
	}
}

func TestARotatedCredentialFileNeedsANewHost(t *testing.T) {
	directory := t.TempDir()
	config := Config{Provider: "fake", Environment: []string{"FAKE_TOKEN_FILE=token"}, Directory: directory}
	keys := []string{config.hostKey()}
	for _, content := range []string{"one", "three"} {
		if err := os.WriteFile(filepath.Join(directory, "token"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, config.hostKey())
	}
	slices.Sort(keys)
	if len(slices.Compact(keys)) != 3 {
		t.Error("a changed file makes no difference")
	}
}
