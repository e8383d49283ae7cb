package providerhost

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"pylego/engine/credential"
)

// minSecret is the length from which on a value is redacted: shorter ones ("1",
// "true", "admin") would blacken ordinary words.
const minSecret = 6

// redacted stands where a secret stood.
const redacted = "[redacted]"

// secretsIn picks from a host's environment the values that no log or error may
// show: credentials, what files of credentials hold, and what stands for one inside
// of URLs.
func secretsIn(directory string, environment []string) []string {
	var secrets []string
	for _, entry := range environment {
		name, value, _ := strings.Cut(entry, "=")
		switch {
		case credential.Named(name):
			secrets = append(secrets, value)
			secrets = append(secrets, secretsInside(value)...)
		case credential.InFile(name):
			secrets = append(secrets, secretsInFile(directory, value)...)
		default:
			secrets = append(secrets, secretsInURL(value)...)
		}
	}
	slices.Sort(secrets)
	return slices.Compact(secrets)
}

// maxSecretFile bounds what is read of a file: credentials are short.
const maxSecretFile = 64 << 10

// secretsInFile are a file's text and what is secret inside of it.
func secretsInFile(directory, path string) []string {
	text := textOf(directory, path)
	if text == "" {
		return nil
	}
	return append(secretsInside(text), text)
}

// textOf is a file's text, as lego trims it. One that cannot be read is the provider's
// to complain about.
func textOf(directory, path string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(directory, path)
	}
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		return "" // a pipe would be read for the provider, or for ever
	}
	file, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer file.Close()
	content, _ := io.ReadAll(io.LimitReader(file, maxSecretFile))
	return strings.TrimSpace(string(content))
}

// secretsInside are the parts of a credential that are used one by one: the key in
// the JSON of a Google service account, where its lines are one with escaped ends, or
// the tokens of some providers' "a.example:token1,b.example:token2".
func secretsInside(text string) []string {
	var account struct {
		PrivateKey string `json:"private_key"`
	}
	if json.Unmarshal([]byte(text), &account) == nil {
		return []string{account.PrivateKey}
	}
	if strings.ContainsAny(text, "{\n") {
		return nil
	}
	var secrets []string
	for pair := range strings.SplitSeq(text, ",") {
		_, secret, isPair := strings.Cut(pair, ":")
		if !isPair {
			secret = pair // a mistake, which the error about it quotes
		}
		secrets = append(secrets, strings.TrimSpace(secret))
	}
	return secrets
}

// secretsInURL are the password, or the user who has none, and the query's values,
// as they are written and unescaped. It takes what url.Parse refuses, too: such a
// setting is quoted by the error about it.
func secretsInURL(address string) (secrets []string) {
	_, rest, isURL := strings.Cut(address, "://")
	if !isURL {
		return nil
	}
	rest, query, _ := strings.Cut(rest, "?")
	authority, _, _ := strings.Cut(rest, "/")
	if end := strings.LastIndex(authority, "@"); end >= 0 {
		secret := authority[:end]
		if _, password, both := strings.Cut(secret, ":"); both {
			secret = password
		}
		plain, _ := url.PathUnescape(secret)
		secrets = append(secrets, secret, plain)
	}
	query, _, _ = strings.Cut(query, "#")
	for _, pair := range strings.FieldsFunc(query, func(r rune) bool { return r == '&' || r == ';' }) {
		_, secret, _ := strings.Cut(pair, "=")
		plain, _ := url.QueryUnescape(secret)
		secrets = append(secrets, secret, plain)
	}
	return secrets
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
	query := url.QueryEscape(secret)
	shapes := []string{secret, query, strings.ReplaceAll(query, "+", "%20"), url.PathEscape(secret), url.UserPassword("", secret).String()[1:]}
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
