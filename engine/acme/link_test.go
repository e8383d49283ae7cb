package acme

import (
	"net/http"
	"slices"
	"testing"
)

func TestEveryAlternateChainIsFound(t *testing.T) {
	for _, test := range []struct{ headers, want []string }{
		{nil, nil},
		{[]string{`<https://ca.example/directory>;rel="index"`, `<https://ca.example/1>;rel="alternate"`}, []string{"https://ca.example/1"}},
		{[]string{`<a>;rel="alternate", <b>; title="x, y" ; REL=Alternate,<c>;rel=up`}, []string{"a", "b"}},
		{[]string{`<a?b,c;d>;rel="up alternate"`, `<e>;title="\";rel=alternate"`}, []string{"a?b,c;d"}},
		{[]string{`<a;rel=alternate`, `a>;rel=alternate`, `;,<>`, ""}, nil},
	} {
		if found := alternates(http.Header{"Link": test.headers}); !slices.Equal(found, test.want) {
			t.Errorf("%q: %q", test.headers, found)
		}
	}
}
