package transport

import (
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"pylego/engine/fault"
	"pylego/engine/system"
)

// Trust says which roots may vouch for a CA's own HTTPS certificate.
type Trust struct {
	Files       []string `json:"files,omitempty"`       // PEM files; a bad one is an error
	Directories []string `json:"directories,omitempty"` // every readable PEM file in these
	PEM         string   `json:"pem,omitempty"`         // roots handed over as text
	NoSystem    bool     `json:"no_system,omitempty"`   // leave the system's roots out
	ServerName  string   `json:"server_name,omitempty"` // expected instead of the directory's host
}

// IsZero reports whether nothing has been said.
func (t Trust) IsZero() bool {
	return len(t.Files) == 0 && len(t.Directories) == 0 && t.PEM == "" && !t.NoSystem && t.ServerName == ""
}

// systemFiles and systemDirectories are where Linux distributions keep their
// roots. Go's own x509.SystemCertPool reads the environment, and once per
// process: a call with another SSL_CERT_FILE would get the first call's roots.
var systemFiles = []string{
	"/etc/ssl/certs/ca-certificates.crt",                // Debian, Alpine, Arch
	"/etc/pki/tls/certs/ca-bundle.crt",                  // Fedora, RHEL 6
	"/etc/ssl/ca-bundle.pem",                            // openSUSE
	"/etc/pki/tls/cacert.pem",                           // OpenELEC
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // RHEL 7 and later
	"/etc/ssl/cert.pem",                                 // Alpine, macOS
}

var systemDirectories = []string{"/etc/ssl/certs", "/etc/pki/tls/certs"}

// pool builds the roots of one configuration anew, from the files as they are now.
func (t Trust) pool() (*x509.CertPool, error) {
	roots := x509.NewCertPool()
	if !t.NoSystem {
		roots = systemRoots()
	}
	if t.PEM != "" && !roots.AppendCertsFromPEM([]byte(t.PEM)) {
		return nil, fault.New(fault.LegoClientCreationFailed, "the CA certificates handed over hold no PEM certificate")
	}
	for _, file := range t.Files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fault.Wrap(fault.LegoClientCreationFailed, err, "cannot read the CA certificate file")
		}
		if !roots.AppendCertsFromPEM(data) {
			return nil, fault.New(fault.LegoClientCreationFailed, "the CA certificate file %s holds no PEM certificate", file)
		}
	}
	for _, directory := range t.Directories {
		appendDirectory(roots, directory)
	}
	return roots, nil
}

// fingerprint changes when a trust file does: path, inode, mtime and size.
func (t Trust) fingerprint() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q %t %q", t.PEM, t.NoSystem, t.ServerName)
	for _, file := range slices.Concat(t.Files, t.Directories) {
		fmt.Fprintf(&b, " %q %s", file, system.FileState(file))
	}
	return b.String()
}

var parsed struct {
	sync.Mutex
	state string
	roots *x509.CertPool
}

// systemRoots parses the system's roots again only when their file has changed:
// parsing takes milliseconds, and every new CA would pay them.
func systemRoots() *x509.CertPool {
	parsed.Lock()
	defer parsed.Unlock()
	for _, file := range systemFiles {
		state := file + system.FileState(file)
		if parsed.roots != nil && parsed.state == state {
			return parsed.roots.Clone()
		}
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		roots := x509.NewCertPool()
		if roots.AppendCertsFromPEM(data) {
			parsed.roots, parsed.state = roots, state
			return roots.Clone()
		}
	}
	roots := x509.NewCertPool()
	for _, directory := range systemDirectories {
		appendDirectory(roots, directory)
	}
	return roots
}

// appendDirectory takes what it can read, as OpenSSL and Go do: such a folder
// also holds links to files that have gone.
func appendDirectory(roots *x509.CertPool, directory string) {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if data, err := os.ReadFile(filepath.Join(directory, entry.Name())); err == nil {
			roots.AppendCertsFromPEM(data)
		}
	}
}
