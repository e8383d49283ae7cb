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
		if other.hostKey() == base().hostKey() || other.Credentials() == base().Credentials() {
			t.Error(name, "makes no difference")
		}
	}
	if key := base().hostKey(); strings.Contains(key, "fake") || len(key) != 32 {
		t.Errorf("%q", key)
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
