// Package caller is the program that we are a guest in: its environment and
// working directory as they were at the call. Go itself only knows those of the
// moment when the library was loaded.
package caller

import (
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"pylego/engine/transport"
)

// Caller travels with a request. JSON carries both fields in base64: neither
// needs to be valid UTF-8.
type Caller struct {
	Environment Environment `json:"environment,omitempty"`
	Directory   []byte      `json:"directory,omitempty"`
}

// Environment is KEY=value entries, separated by NUL as in /proc.
type Environment []byte

// EnvironmentOf makes an Environment of entries as os.Environ returns them.
func EnvironmentOf(entries []string) Environment { return Environment(strings.Join(entries, "\x00")) }

// Entries are the KEY=value pairs.
func (e Environment) Entries() []string {
	if len(e) == 0 {
		return nil
	}
	return strings.Split(string(e), "\x00")
}

// With returns the environment with some variables set anew.
func (e Environment) With(variables map[string]string) Environment {
	var entries []string
	for _, entry := range e.Entries() {
		name, _, _ := strings.Cut(entry, "=")
		if _, replaced := variables[name]; !replaced {
			entries = append(entries, entry)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		entries = append(entries, name+"="+variables[name])
	}
	return EnvironmentOf(entries)
}

// Get returns a variable's value, or "".
func (e Environment) Get(name string) string {
	for _, entry := range e.Entries() {
		if found, value, _ := strings.Cut(entry, "="); found == name {
			return value
		}
	}
	return ""
}

// Set reports whether a variable has a value at all.
func (e Environment) Set(name string) bool { return e.Get(name) != "" }

// first returns the first variable that has a value.
func (e Environment) first(names ...string) string {
	for _, name := range names {
		if value := e.Get(name); value != "" {
			return value
		}
	}
	return ""
}

// Transport reads the settings that Go, OpenSSL and lego share: SSL_CERT_FILE,
// SSL_CERT_DIR, LEGO_CA_CERTIFICATES, LEGO_CA_SYSTEM_CERT_POOL,
// LEGO_CA_SERVER_NAME and the proxies.
//
// Paths are the caller's: relative ones begin in its folder, not in ours.
func (c Caller) Transport() transport.Config {
	e := c.Environment
	config := transport.Config{Proxy: transport.Proxy{
		HTTPS: e.first("HTTPS_PROXY", "https_proxy"),
		No:    e.first("NO_PROXY", "no_proxy"),
	}}
	config.Trust.ServerName = e.Get("LEGO_CA_SERVER_NAME")
	if files := e.Get("LEGO_CA_CERTIFICATES"); files != "" {
		// As in lego: these alone, or beside the system's where that is asked for.
		config.Trust.Files = c.paths(files)
		withSystem, _ := strconv.ParseBool(e.Get("LEGO_CA_SYSTEM_CERT_POOL"))
		config.Trust.NoSystem = !withSystem
		if !withSystem {
			return config
		}
	}
	if file := e.Get("SSL_CERT_FILE"); file != "" {
		config.Trust.Files = append(config.Trust.Files, c.Path(file))
	}
	config.Trust.Directories = c.paths(e.Get("SSL_CERT_DIR"))
	return config
}

func (c Caller) paths(list string) []string {
	var paths []string // none is nil: as where nothing was said
	for _, path := range filepath.SplitList(list) {
		paths = append(paths, c.Path(path))
	}
	return paths
}

// Path is the caller's: a relative one begins in its folder, not in ours.
func (c Caller) Path(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(string(c.Directory), path)
}
