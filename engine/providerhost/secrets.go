package providerhost

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// minSecret is the length from which on a value is redacted: shorter ones ("1",
// "true", "admin") would blacken ordinary words.
const minSecret = 6

// redacted stands where a secret stood.
const redacted = "[redacted]"

// credentialWords are what lego's providers call the variables that hold credentials.
var credentialWords = []string{
	"KEY", "TOKEN", "SECRET", "PASS", "PWD", "HMAC", "AUTH", "CREDENTIAL", "PRIVATE", "SESSION", "COOKIE", "OTP", "SIGNATURE",
}

// secretsIn picks from a host's environment the values that no log or error may
// show: those of variables whose name suggests a credential, and passwords inside
// of URLs. A variable ending in _FILE names a file: its path is no secret.
func secretsIn(environment []string) []string {
	var secrets []string
	for _, entry := range environment {
		name, value, _ := strings.Cut(entry, "=")
		if namesCredential(name) {
			secrets = append(secrets, value)
			continue
		}
		if u, err := url.Parse(value); err == nil && u.User != nil {
			if password, ok := u.User.Password(); ok {
				secrets = append(secrets, password)
			}
		}
	}
	slices.Sort(secrets)
	return slices.Compact(secrets)
}

func namesCredential(name string) bool {
	name = strings.ToUpper(name)
	if strings.HasSuffix(name, "_FILE") {
		return false
	}
	return slices.ContainsFunc(credentialWords, func(word string) bool { return strings.Contains(name, word) })
}

// redactor blackens secrets in every shape in which a provider's SDK may print them.
type redactor struct {
	replacer *strings.Replacer
	shapes   []string
}

func newRedactor(secrets []string) *redactor {
	var shapes []string
	for _, secret := range secrets {
		if len(secret) < minSecret {
			continue
		}
		shapes = append(shapes, shapesOf(secret)...)
		// Logs are read line by line, a PEM key has many: each line is one more secret.
		for line := range strings.Lines(secret) {
			if line = strings.TrimSpace(line); len(line) >= minSecret && line != secret {
				shapes = append(shapes, shapesOf(line)...)
			}
		}
	}
	// The replacer takes the first that fits: a secret must not be hidden behind its own prefix.
	slices.SortFunc(shapes, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	shapes = slices.Compact(shapes)

	r := &redactor{shapes: shapes}
	var pairs []string
	for _, shape := range shapes {
		pairs = append(pairs, shape, redacted)
	}
	r.replacer = strings.NewReplacer(pairs...)
	return r
}

// shapesOf lists a secret raw and URL-, JSON-, Go- and base64-escaped.
func shapesOf(secret string) []string {
	shapes := []string{secret, url.QueryEscape(secret), url.PathEscape(secret), url.UserPassword("", secret).String()[1:]}
	if quoted, err := json.Marshal(secret); err == nil {
		shapes = append(shapes, string(quoted[1:len(quoted)-1]))
	}
	quoted := strconv.Quote(secret)
	shapes = append(shapes, quoted[1:len(quoted)-1])

	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for offset := range 3 {
			shapes = append(shapes, insideBase64(encoding, secret, offset))
		}
	}
	return slices.DeleteFunc(shapes, func(shape string) bool { return len(shape) < minSecret })
}

// insideBase64 returns the characters that stand for a secret alone where it is
// encoded behind other text, as in the "user:password" of HTTP's basic
// authentication: base64 has three alignments, and shares its outer characters
// with the neighbours.
func insideBase64(encoding *base64.Encoding, secret string, offset int) string {
	encoded := encoding.EncodeToString(append(make([]byte, offset), secret...))
	first := (offset*8 + 5) / 6
	last := (offset + len(secret)) * 8 / 6
	return encoded[first:last]
}

// clean redacts a whole text.
func (r *redactor) clean(text string) string {
	return strings.ToValidUTF8(r.replacer.Replace(text), "\uFFFD")
}

// cleanCut redacts the beginning of a longer text. At its end half a secret may
// stand, which no replacer knows.
func (r *redactor) cleanCut(text string) string {
	var b strings.Builder
scan:
	for len(text) > 0 {
		for _, shape := range r.shapes { // the longest first
			if strings.HasPrefix(shape, text) {
				b.WriteString(redacted)
				break scan
			}
			if strings.HasPrefix(text, shape) {
				b.WriteString(redacted)
				text = text[len(shape):]
				continue scan
			}
		}
		b.WriteByte(text[0])
		text = text[1:]
	}
	return strings.ToValidUTF8(b.String(), "\uFFFD") + "..."
}
