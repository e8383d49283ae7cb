package acme

import (
	"net/http"
	"slices"
	"strings"
)

// alternates are the targets of an answer's links (RFC 8288 section 3) that lead
// to other chains of the certificate (RFC 8555 section 7.4.2). Several may stand
// in one header.
func alternates(header http.Header) []string {
	var urls []string
	for _, links := range header.Values("Link") {
		for links != "" {
			var link string
			link, links = cutUnquoted(links, ',')
			target, parameters, ok := strings.Cut(strings.TrimSpace(link), ">")
			if url, opened := strings.CutPrefix(target, "<"); ok && opened && isAlternate(parameters) {
				urls = append(urls, url)
			}
		}
	}
	return urls
}

// isAlternate reads a link's relations: names, separated by spaces.
func isAlternate(parameters string) bool {
	for parameters != "" {
		var parameter string
		parameter, parameters = cutUnquoted(parameters, ';')
		name, value, _ := strings.Cut(parameter, "=")
		if strings.EqualFold(strings.TrimSpace(name), "rel") {
			relations := strings.Fields(strings.Trim(strings.TrimSpace(value), `"`))
			return slices.ContainsFunc(relations, func(relation string) bool { return strings.EqualFold(relation, "alternate") })
		}
	}
	return false
}

// cutUnquoted cuts at the first separator that is neither in a target nor in a
// quoted string, where a backslash takes the meaning of what follows it.
func cutUnquoted(text string, separator byte) (before, after string) {
	target, quoted := false, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"' && !target:
			quoted = !quoted
		case quoted:
		case c == '<' || c == '>':
			target = c == '<'
		case c == separator && !target:
			return text[:i], text[i+1:]
		}
	}
	return text, ""
}
