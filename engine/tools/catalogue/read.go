package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"pylego/engine/credential"
)

// description is a provider's TOML file, as lego's documentation is made of it.
type description struct {
	Name, Code, Since, URL, Description, Example, Additional string

	Aliases       []string
	Configuration struct{ Credentials, Additional map[string]string }
}

var (
	variableName = regexp.MustCompile(`^(?:TF_VAR_\w+|[A-Z][A-Z0-9_]*)$`)
	tableRow     = regexp.MustCompile("(?m)^\\| `([A-Z][A-Z0-9_]*)` *\\| (.*?) *\\|$")
	// The brackets may hold others: "(Default: 60 (one minute))".
	defaultValue = regexp.MustCompile(`\s*\([Dd]efaults?(?: value)?(?: to|:| is)?\s*((?:[^()]|\([^()]*\))*)\)`)
)

// read makes the catalogue of lego's source.
func read(version, directory string) (*Catalogue, error) {
	files, err := filepath.Glob(filepath.Join(directory, "providers", "dns", "*", "*.toml"))
	if err != nil {
		return nil, err
	}
	catalogue := &Catalogue{Lego: version}
	for _, file := range files {
		provider, err := readProvider(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		catalogue.Providers = append(catalogue.Providers, provider)
	}
	slices.SortFunc(catalogue.Providers, func(a, b *Provider) int { return strings.Compare(a.Code, b.Code) })
	return catalogue, catalogue.checkTables()
}

func readProvider(file string) (*Provider, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var described description
	if err := toml.Unmarshal(text, &described); err != nil {
		return nil, err
	}
	source, err := parse(filepath.Dir(file))
	if err != nil {
		return nil, err
	}
	provider := &Provider{
		Code:        described.Code,
		Aliases:     append([]string{}, described.Aliases...),
		Name:        described.Name,
		Since:       described.Since,
		URL:         described.URL,
		Description: strings.TrimSpace(described.Description),
		Example:     strings.TrimSpace(described.Example),
		Notes:       []string{},
		Sequential:  source.sequential(),
		Remembers:   source.remembers,
		forgets:     source.forgets,
		Ways:        ways(described.Code, source),
		Prefixes:    append([]string{}, prefixes[described.Code]...),
	}
	if strings.HasPrefix(provider.URL, "/") { // of lego's own documentation
		provider.URL = "https://go-acme.github.io/lego/" + strings.TrimPrefix(strings.TrimPrefix(provider.URL, "/lego"), "/")
	}
	provider.describe(described.Configuration.Credentials)
	provider.describe(described.Configuration.Additional)
	source.rename(renamed[described.Code])
	provider.add(source, described.Additional)
	return provider, nil
}

// describe adds one section of the settings. What is no name of a variable is a note.
func (p *Provider) describe(section map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(section)) {
		if !variableName.MatchString(name) {
			p.Notes = append(p.Notes, strings.TrimSpace(name+": "+section[name]))
			continue
		}
		p.Variables = append(p.Variables, p.variable(name, section[name]))
	}
}

// add adds what the source reads and no section describes: the text may, in a table.
func (p *Provider) add(source *source, text string) {
	told := map[string]string{}
	for _, row := range tableRow.FindAllStringSubmatch(text, -1) {
		told[row[1]] = row[2]
	}
	for _, name := range slices.Sorted(maps.Keys(source.names)) {
		if p.has(name) || slices.Contains(general, name) {
			continue
		}
		if main := source.names[name]; main != "" {
			told[name] = "Alias to " + main
		}
		p.Variables = append(p.Variables, p.variable(name, told[name]))
	}
}

func (p *Provider) has(name string) bool {
	return slices.ContainsFunc(p.Variables, func(v Variable) bool { return v.Name == name })
}

func (p *Provider) variable(name, text string) Variable {
	variable := Variable{Name: name, Credential: credential.Named(name), Required: len(p.Ways) > 0}
	if found := defaultValue.FindStringSubmatch(text); found != nil {
		text = strings.Replace(text, found[0], "", 1)
		if value := strings.Trim(found[1], " `\"'"); value != "" {
			variable.Default = &value
		}
	}
	variable.Description = strings.TrimSpace(text)
	for _, way := range p.Ways {
		alone := func(group []string) bool { return slices.Equal(group, []string{name}) }
		variable.Required = variable.Required && slices.ContainsFunc(way, alone)
	}
	return variable
}
