package dnssolver

import (
	"testing"

	"github.com/miekg/dns"
)

func caaRecords(t *testing.T, texts ...string) []*dns.CAA {
	t.Helper()
	var records []*dns.CAA
	for _, text := range texts {
		rr, err := dns.NewRR("a.example. 60 IN CAA " + text)
		if err != nil {
			t.Fatal(err)
		}
		record, ok := rr.(*dns.CAA)
		if !ok {
			t.Fatalf("%s is no CAA record", text)
		}
		records = append(records, record)
	}
	return records
}

func TestWhoMayIssueByCAARecords(t *testing.T) {
	for name, c := range map[string]struct {
		records  []string
		methods  []string
		wildcard bool
		refused  bool
	}{
		"no records":                          {},
		"the CA is named":                     {records: []string{`0 issue "ca.example"`}},
		"the CA is named in other letters":    {records: []string{`0 Issue " CA.example. "`}},
		"the CA is one of several":            {records: []string{`0 issue "other.example"`, `0 issue "ca.example"`}},
		"another is named":                    {records: []string{`0 issue "other.example"`}, refused: true},
		"nobody may":                          {records: []string{`0 issue ";"`}, refused: true},
		"a CA whose name ends alike":          {records: []string{`0 issue "not-ca.example"`}, refused: true},
		"only reports are wanted":             {records: []string{`0 iodef "mailto:a@a.example"`}},
		"wildcards are others' alone":         {records: []string{`0 issuewild "other.example"`}},
		"a wildcard that is others'":          {records: []string{`0 issue "ca.example"`, `0 issuewild "other.example"`}, wildcard: true, refused: true},
		"a wildcard that is ours":             {records: []string{`0 issue ";"`, `0 issuewild "ca.example"`}, wildcard: true},
		"a wildcard under an issue record":    {records: []string{`0 issue "ca.example"`}, wildcard: true},
		"an unknown tag":                      {records: []string{`0 future "x"`}},
		"an unknown critical tag":             {records: []string{`0 issue "ca.example"`, `128 future "x"`}, refused: true},
		"a known critical tag":                {records: []string{`128 issue "ca.example"`}},
		"an account":                          {records: []string{`0 issue "ca.example; accounturi=https://ca.example/1"`}},
		"the method is allowed":               {records: []string{`0 issue "ca.example; validationmethods=dns-01,http-01"`}, methods: []string{"http-01"}},
		"the method is not allowed":           {records: []string{`0 issue "ca.example; validationmethods=dns-01"`}, methods: []string{"http-01"}, refused: true},
		"one of two methods is allowed":       {records: []string{`0 issue "ca.example; validationmethods=dns-01"`}, methods: []string{"http-01", "dns-01"}},
		"nobody has chosen a method":          {records: []string{`0 issue "ca.example; validationmethods=dns-01"`}},
		"another record allows the method":    {records: []string{`0 issue "ca.example; validationmethods=dns-01"`, `0 issue "ca.example"`}, methods: []string{"http-01"}},
		"spaces around methods' own parts":    {records: []string{`0 issue "ca.example;  ValidationMethods = dns-01 "`}, methods: []string{"dns-01"}},
		"the CA is named where nobody issues": {records: []string{`0 issuemail "ca.example"`}},
	} {
		t.Run(name, func(t *testing.T) {
			why := refusal(caaRecords(t, c.records...), []string{"ca.example"}, c.methods, c.wildcard)
			if (why != "") != c.refused {
				t.Errorf("refused: %q", why)
			}
		})
	}
}
