package main

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

const head = `"""Each of lego's DNS providers as a function; written by ` + "`make catalogue`" + `."""

from collections.abc import Sequence

from pylego._challenges import DNS01
`

// settings are the arguments of DNS01 that are no variables.
const settings = `    *,
    resolvers: Sequence[str] = (),
    propagation_wait: float = 0,
    check_authoritative: bool = True,
    check_recursive: bool = True,
`

// identifier is a name that Python can have after "pylego.dns."; none of lego's
// needs more than another hyphen.
var identifier = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

var keywords = []string{
	"and", "as", "assert", "async", "await", "break", "class", "continue", "def", "del", "elif", "else",
	"except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "nonlocal", "not",
	"or", "pass", "raise", "return", "try", "while", "with", "yield",
}

// stub is what an editor reads instead of dns.py.
func (c *Catalogue) stub() ([]byte, error) {
	var out bytes.Buffer
	out.WriteString(head)
	for _, provider := range c.Providers {
		for _, name := range append([]string{provider.Code}, provider.Aliases...) {
			if python := attribute(name); !identifier.MatchString(python) || slices.Contains(keywords, python) {
				return nil, fmt.Errorf("%q cannot be a name in Python: dns.py needs a rule for it", name)
			}
		}
		provider.function(&out)
	}
	return out.Bytes(), nil
}

func attribute(name string) string {
	return strings.ReplaceAll(name, "-", "_")
}

func (p *Provider) function(out *bytes.Buffer) {
	fmt.Fprintf(out, "\ndef %s(\n%s", attribute(p.Code), settings)
	for _, variable := range p.Variables {
		fmt.Fprintf(out, "    %s: str = ...,\n", variable.Name)
	}
	fmt.Fprintf(out, "    **variables: str,\n) -> DNS01:\n    r\"\"\"%s.\n", p.Name)
	if p.URL != "" {
		fmt.Fprintf(out, "\n    %s\n", p.URL)
	}
	if needs := p.needs(); needs != "" {
		fmt.Fprintf(out, "\n    Needs %s.\n", needs)
	}
	if len(p.Variables) > 0 {
		out.WriteString("\n    Args:\n")
	}
	for _, variable := range p.Variables {
		fmt.Fprintf(out, "        %s: %s\n", variable.Name, variable.said())
	}
	out.WriteString("    \"\"\"\n")
	for _, alias := range p.Aliases {
		fmt.Fprintf(out, "\n%s = %s\n", attribute(alias), attribute(p.Code))
	}
}

// needs says the ways in words.
func (p *Provider) needs() string {
	var ways []string
	for _, way := range p.Ways {
		var groups []string
		for _, group := range way {
			text := group[0]
			if len(group) > 1 {
				text += " (or " + strings.Join(group[1:], " or ") + ")"
			}
			groups = append(groups, text)
		}
		ways = append(ways, strings.Join(groups, " and "))
	}
	return strings.Join(ways, ", or ")
}

func (v Variable) said() string {
	text := strings.Join(strings.Fields(v.Description), " ")
	if v.Default != nil {
		text += fmt.Sprintf(" (default: %s)", *v.Default)
	}
	return strings.ReplaceAll(strings.TrimSpace(text), `"""`, `'''`)
}
