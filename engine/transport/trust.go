package transport

import (
	"crypto/tls"
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
	Insecure    bool     `json:"insecure,omitempty"`    // believe any certificate: for tests
}

// IsZero reports whether nothing has been said.
func (t Trust) IsZero() bool {
	return len(t.Files) == 0 && len(t.Directories) == 0 && t.PEM == "" && !t.NoSystem && t.ServerName == "" && !t.Insecure
}

func (t Trust) tls(roots *x509.CertPool) *tls.Config {
	return &tls.Config{RootCAs: roots, ServerName: t.ServerName, MinVersion: tls.VersionTLS12, InsecureSkipVerify: t.Insecure}
}

// check is for what a call itself has set: those are arguments, and no setting
// of the environment.
func (t Trust) check() error {
	if t.PEM != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(t.PEM)) {
		return fault.New(fault.InvalidArguments, "trust holds no PEM certificate (a path to a file is given as pathlib.Path)")
	}
	for _, path := range t.Files {
		info, err := os.Stat(path)
		if err != nil {
			return fault.Wrap(fault.InvalidArguments, err, "trust cannot be read")
		}
		roots := x509.NewCertPool()
		if info.IsDir() {
			appendDirectory(roots, path)
		} else if data, err := os.ReadFile(path); err != nil {
			return fault.Wrap(fault.InvalidArguments, err, "trust cannot be read")
		} else {
			roots.AppendCertsFromPEM(data)
		}
		if roots.Equal(x509.NewCertPool()) {
			return fault.New(fault.InvalidArguments, "trust=%q holds no PEM certificate", path)
		}
	}
	return nil
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

// given builds the roots that were handed over anew, from the files as they are now.
func (t Trust) given() (*x509.CertPool, error) { return t.appendTo(x509.NewCertPool()) }

func (t Trust) appendTo(roots *x509.CertPool) (*x509.CertPool, error) {
	if t.PEM != "" && !roots.AppendCertsFromPEM([]byte(t.PEM)) {
		return nil, fault.New(fault.LegoClientCreationFailed, "the CA certificates handed over hold no PEM certificate")
	}
	for _, file := range t.Files {
		if info, err := os.Stat(file); err == nil && info.IsDir() {
			appendDirectory(roots, file)
			continue
		}
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

// withSystem has the system's roots, too.
func (t Trust) withSystem() (*x509.CertPool, error) { return t.appendTo(systemRoots()) }

// states change when a trust file does, also one in a folder, whose own time
// stays when a file is written to: inode, mtime and size.
func (t Trust) states() string {
	var b strings.Builder
	for _, path := range slices.Concat(t.Files, t.Directories) {
		fmt.Fprintf(&b, " %q %s", path, system.FileState(path))
		entries, _ := os.ReadDir(path) // none, where it is a file
		for _, entry := range entries {
			fmt.Fprintf(&b, " %q %s", entry.Name(), system.FileState(filepath.Join(path, entry.Name())))
		}
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
