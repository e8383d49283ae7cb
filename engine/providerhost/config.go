package providerhost

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"path/filepath"
	"slices"
	"strings"

	"pylego/engine/fault"
	"pylego/engine/system"
)

// Config says what a host is: orders whose configs are equal may share one.
type Config struct {
	Provider string // lego's code of the provider, or an alias

	// Environment is the host's whole environment as raw "KEY=value". Nothing is
	// added to it. Of a name given twice the last counts.
	Environment []string
	Directory   string   // the host's working directory; "" is the engine's
	Resolvers   []string // replace the system's for lego's own look-ups
}

// processKey keys the HMACs below: a digest that came to light could otherwise
// be tried against guessed credentials.
var processKey = func() []byte {
	key := make([]byte, sha256.Size)
	if _, err := rand.Read(key); err != nil {
		panic(err) // never: crypto/rand ends the process itself
	}
	return key
}()

// Credentials tells apart what is said to a provider in the variables that count:
// their values, whether they are given themselves or in files, and by which of
// several names. It reveals none of them.
func (c Config) Credentials(code string, counts func(name string) bool) string {
	var values []string
	for _, variable := range c.environment() {
		name, value, _ := strings.Cut(variable, "=")
		if value == "" || !counts(name) {
			continue
		}
		if strings.HasSuffix(name, "_FILE") {
			value = cmp.Or(textOf(c.Directory, value), value)
		}
		values = append(values, value)
	}
	slices.Sort(values)
	return digest(append([]string{code}, slices.Compact(values)...))
}

// hostKey is all that a host is made of, and the state of each file that a _FILE
// variable names: a rotated credential needs a new host, for lego reads such files once.
func (c Config) hostKey() string {
	parts := c.parts()
	for _, variable := range c.environment() {
		name, path, _ := strings.Cut(variable, "=")
		if strings.HasSuffix(name, "_FILE") && path != "" {
			parts = append(parts, "file", name, fileState(c.Directory, path))
		}
	}
	return digest(parts)
}

func (c Config) parts() []string {
	parts := []string{"provider", c.Provider, "directory", c.Directory, "resolvers"}
	parts = append(parts, c.Resolvers...)
	parts = append(parts, "environment")
	return append(parts, c.environment()...)
}

// environment is sorted, and has each name once: Go's os.Getenv takes the first
// of two, C's getenv too, but who appends to a list means the last.
func (c Config) environment() []string {
	last := make(map[string]string, len(c.Environment))
	for _, variable := range c.Environment {
		name, _, _ := strings.Cut(variable, "=")
		last[name] = variable
	}
	environment := make([]string, 0, len(last))
	for _, variable := range last {
		environment = append(environment, variable)
	}
	slices.Sort(environment)
	return environment
}

// check finds what cannot become a host before a process is started for it.
func (c Config) check() error {
	switch {
	case c.Provider == "":
		return fault.New(fault.DNSProviderFailed, "no DNS provider is named")
	case c.Provider == "manual":
		return fault.New(fault.DNSProviderFailed,
			"DNS provider manual asks a person at a terminal, which a library has not got: run `pylego lego run` with `--dns manual` instead")
	case strings.ContainsRune(c.Provider, 0) || len(c.Provider) > 100:
		return fault.New(fault.DNSProviderFailed, "the name of the DNS provider is not one of lego's")
	}
	for _, variable := range c.Environment {
		if strings.ContainsRune(variable, 0) {
			name, _, _ := strings.Cut(variable, "=")
			return fault.New(fault.InvalidEnvironment, "the environment variable %q holds a NUL character", name)
		}
	}
	return nil
}

// digest is over lengths and parts: ("ab", "c") and ("a", "bc") differ.
func digest(parts []string) string {
	mac := hmac.New(sha256.New, processKey)
	for _, part := range parts {
		_ = binary.Write(mac, binary.BigEndian, uint64(len(part)))
		mac.Write([]byte(part))
	}
	return string(mac.Sum(nil))
}

func fileState(directory, path string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(directory, path)
	}
	return system.FileState(path)
}
