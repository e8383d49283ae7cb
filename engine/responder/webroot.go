package responder

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"pylego/engine/acme"
	"pylego/engine/fault"
)

// Webroot answers HTTP-01 by files, for a web server that serves a folder.
type Webroot struct {
	folder string
}

// NewWebroot writes below a folder that the web server has as its root.
func NewWebroot(folder string) *Webroot { return &Webroot{folder} }

// Type is the challenge's type.
func (w *Webroot) Type() string { return "http-01" }

// Prepare looks for the folder: it is the web server's, and not ours to make.
func (w *Webroot) Prepare(context.Context) error {
	if info, err := os.Stat(w.folder); err != nil || !info.IsDir() {
		return fault.New(fault.CertificateObtainFailed, "the webroot %s is no folder that can be read", w.folder)
	}
	return nil
}

// Present writes the key authorization to the path that the CA asks for (RFC 8555 section 8.3).
func (w *Webroot) Present(_ context.Context, answer acme.Answer) error {
	root, err := os.OpenRoot(w.folder) // nothing, not even a link, leads out of it
	if err != nil {
		return w.failed(err)
	}
	defer func() { _ = root.Close() }()
	path, err := tokenPath(answer.Token)
	if err != nil {
		return err
	}
	if err := root.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return w.failed(err)
	}
	file, err := root.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return w.failed(err)
	}
	_, err = file.WriteString(answer.KeyAuthorization)
	if err = errors.Join(err, file.Chmod(0o644), file.Close()); err != nil { // the umask may forbid others to read
		return w.failed(err)
	}
	return nil
}

// Wait has nothing to wait for.
func (w *Webroot) Wait(context.Context, acme.Answer) error { return nil }

// CleanUp removes the file. The folders stay, as with lego: they may be the web server's.
func (w *Webroot) CleanUp(_ context.Context, answer acme.Answer) error {
	root, err := os.OpenRoot(w.folder)
	if err != nil {
		return w.failed(err)
	}
	defer func() { _ = root.Close() }()
	path, err := tokenPath(answer.Token)
	if err != nil {
		return nil // nothing was written
	}
	if err := root.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return w.failed(err)
	}
	return nil
}

// Release has nothing to give back.
func (w *Webroot) Release() {}

func (w *Webroot) failed(err error) error {
	return fault.Wrap(fault.CertificateObtainFailed, err, "cannot write the answer below the webroot %s", w.folder)
}

// tokenPath refuses a token that is more than a file's name: RFC 8555 section 8.1
// allows the base64url alphabet alone.
func tokenPath(token string) (string, error) {
	if token == "" || strings.Trim(token, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
		return "", fault.New(fault.CertificateObtainFailed, "the CA's token %q is not base64url (RFC 8555 section 8.1)", token)
	}
	return filepath.FromSlash(strings.TrimPrefix(challengePath, "/")) + token, nil
}
