// catalogue writes what pylego tells of lego's DNS providers: providers.json, of
// which Python reads names, settings and descriptions, dns.pyi, by which an editor
// completes them, and what the engine has to know of them and of lego's version. All is
// made of lego's own TOML files and source.
//
// With --check it fails instead when they are not what it would write.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/format"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"pylego/engine/credential"
)

const (
	module = "github.com/go-acme/lego/v5"
	names  = "cmd/lego/names.go"
	target = "../src/pylego"
	engine = "dnssolver/memory.go"
	agent  = "transport/lego.go"
)

// Catalogue is the JSON file.
type Catalogue struct {
	Lego      string      `json:"lego"`
	Providers []*Provider `json:"providers"`
}

// Provider is one DNS provider of lego's.
type Provider struct {
	Code        string     `json:"code"`
	Aliases     []string   `json:"aliases"`
	Name        string     `json:"name"`
	Since       string     `json:"since"`
	URL         string     `json:"url"`
	Description string     `json:"description"`
	Example     string     `json:"example"`
	Notes       []string   `json:"notes"`
	Sequential  bool       `json:"sequential"`
	Remembers   bool       `json:"remembers"` // only the process that wrote a record finds it again
	Variables   []Variable `json:"variables"`
	// Ways are the sets of variables of which the constructor wants one; in each,
	// every group needs a value for one of its names. None where that is not certain.
	Ways []Way `json:"ways"`
	// Prefixes begin the names that the provider's SDK reads by itself; the empty
	// one is for a provider that hands the environment on.
	Prefixes []string `json:"prefixes"`

	forgets bool // only the engine wants to know
}

// Way is one way to give a provider what it needs.
type Way [][]string

// Variable is one setting of a provider.
type Variable struct {
	Name        string  `json:"name"`
	Description string  `json:"description"`
	Required    bool    `json:"required"`
	Default     *string `json:"default"`
	Credential  bool    `json:"credential"`
}

func main() {
	log.SetFlags(0)
	check := flag.Bool("check", false, "fail if a file is not what would be written")
	flag.Parse()
	if err := run(*check); err != nil {
		log.Fatal("catalogue: ", err)
	}
}

// run writes or checks all files, from the folder of go.mod.
func run(check bool) error {
	version, directory, err := lego()
	if err != nil {
		return err
	}
	catalogue, err := read(version, directory)
	if err != nil {
		return err
	}
	if err := catalogue.complete(names); err != nil {
		return err
	}
	stub, err := catalogue.stub()
	if err != nil {
		return err
	}
	for path, content := range map[string][]byte{
		filepath.Join(target, "providers.json"): catalogue.json(),
		filepath.Join(target, "dns.pyi"):        stub,
		engine:                                  catalogue.memory(),
		agent:                                   catalogue.agent(),
	} {
		if !check {
			if err := os.WriteFile(path, content, 0o644); err != nil {
				return err
			}
			continue
		}
		if written, err := os.ReadFile(path); err != nil || !bytes.Equal(written, content) {
			return fmt.Errorf("%s is not what lego %s says: run 'make catalogue'", path, version)
		}
	}
	return nil
}

// lego finds the version in go.mod, and its source.
func lego() (version, directory string, err error) {
	said, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}\t{{.Dir}}", module).Output()
	if err != nil {
		return "", "", fmt.Errorf("go list: %w", err)
	}
	version, directory, _ = strings.Cut(strings.TrimSpace(string(said)), "\t")
	if directory == "" {
		return "", "", fmt.Errorf("%s is not downloaded: run 'go mod download'", module)
	}
	return version, directory, nil
}

// complete sees that every name that lego accepts is one of a provider here, and no other.
func (c *Catalogue) complete(path string) error {
	accepted, err := accepted(path)
	if err != nil {
		return err
	}
	for _, provider := range c.Providers {
		for _, name := range append([]string{provider.Code}, provider.Aliases...) {
			if !accepted[name] {
				return fmt.Errorf("%s does not know %q: run 'go generate' there", path, name)
			}
			delete(accepted, name)
		}
	}
	for name := range accepted {
		return fmt.Errorf("no provider of lego's describes the name %q", name)
	}
	return nil
}

// json has one line for each provider, so that a change shows in a diff.
func (c *Catalogue) json() []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "{\"lego\": %q,\n", c.Lego)
	// For names that no provider here has, only a vendor's library.
	fmt.Fprintf(&out, "\"credential\": %s,\n", encoded(map[string][]string{
		"words": credential.Words, "harmless": credential.Harmless,
	}))
	out.WriteString("\"providers\": [\n")
	for i, provider := range c.Providers {
		if i > 0 {
			out.WriteString(",\n")
		}
		out.Write(encoded(provider))
	}
	out.WriteString("\n]}\n")
	return out.Bytes()
}

func encoded(value any) []byte {
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err) // strings and booleans can be encoded
	}
	return bytes.TrimSpace(line.Bytes())
}

// agent is the Go file with the version, for who asks a CA.
func (c *Catalogue) agent() []byte {
	return fmt.Appendf(nil, `// Code generated by engine/tools/catalogue from lego %s; DO NOT EDIT.

package transport

// lego is the version that the engine is built on.
const lego = %q
`, c.Lego, strings.TrimPrefix(c.Lego, "v"))
}

// memory is the Go file with what the engine has to know of the providers.
func (c *Catalogue) memory() []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, `// Code generated by engine/tools/catalogue from lego %s; DO NOT EDIT.

package dnssolver

`, c.Lego)
	out.WriteString(`// remembering names the providers that keep in memory where the records are that
// they have written: only the process that wrote one can take it away.
var remembering = []string{
`)
	c.list(&out, func(p *Provider) bool { return p.Remembers })
	out.WriteString(`
// forgetting names those among them that forget a record before they take it away.
// If that fails, they say at the next try that all is well.
var forgetting = []string{
`)
	c.list(&out, func(p *Provider) bool { return p.Remembers && p.forgets })
	out.WriteString(`
// known are the providers by each of their names.
var known = map[string]provider{
`)
	for _, provider := range c.Providers {
		for _, name := range append([]string{provider.Code}, provider.Aliases...) {
			fmt.Fprintf(&out, "\t%q: {%q, %#v},\n", name, provider.Code, provider.beginnings())
		}
	}
	out.WriteString("}\n")
	formatted, err := format.Source(out.Bytes())
	if err != nil {
		panic(err) // it is Go
	}
	return formatted
}

// beginnings are how the names begin of all that the provider reads.
func (p *Provider) beginnings() []string {
	beginnings := slices.Clone(p.Prefixes)
	for _, variable := range p.Variables {
		first, _, _ := strings.Cut(variable.Name, "_")
		beginnings = append(beginnings, first+"_")
	}
	slices.Sort(beginnings)
	return slices.Compact(beginnings)
}

// list writes every name of some providers: the engine has that which it is given.
func (c *Catalogue) list(out *bytes.Buffer, which func(*Provider) bool) {
	for _, provider := range c.Providers {
		if which(provider) {
			for _, name := range append([]string{provider.Code}, provider.Aliases...) {
				fmt.Fprintf(out, "\t%q,\n", name)
			}
		}
	}
	out.WriteString("}\n")
}
