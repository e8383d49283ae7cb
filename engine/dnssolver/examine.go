package dnssolver

import (
	"context"
	"slices"
	"strings"

	"github.com/go-acme/lego/v5/acme"
	"github.com/miekg/dns"

	"pylego/engine/fault"
	"pylego/engine/pki"
	"pylego/engine/report"
)

// ExamineInput asks what the DNS says of names before anybody orders for them.
type ExamineInput struct {
	Names     []string `json:"names"`     // a wildcard begins with "*."
	Resolvers []string `json:"resolvers"` // none: the system's
	Issuers   []string `json:"issuers"`   // the CA's names in CAA records
	Methods   []string `json:"methods"`   // types of challenges of which one is enough; none: any
}

// ExamineResult has the names in the input's order, each once.
type ExamineResult struct {
	Names []Examined `json:"names"`
}

// Examined is what the DNS says of one name, and nothing of an address. What could not
// be found out is told in the error beside it.
type Examined struct {
	Type           string   `json:"type"` // of the identifier: "dns" or "ip"
	Name           string   `json:"name"` // as the CA is told it
	Zone           string   `json:"zone"` // without a last dot
	ZoneError      string   `json:"zone_error"`
	Addresses      []string `json:"addresses"`
	AddressesError string   `json:"addresses_error"`
	CAA            CAA      `json:"caa"`
}

// CAA is who may issue for a name (RFC 8659).
type CAA struct {
	Domain  string   `json:"domain"`  // where the records are that count; none: there are none
	Records []string `json:"records"` // as a zone file has them
	Refusal string   `json:"refusal"` // why this CA may not issue; none: it may
	Error   string   `json:"error"`
}

// ExamineNames is the operation examine_names.
func ExamineNames(ctx context.Context, in ExamineInput, _ report.Reporter) (*ExamineResult, error) {
	for _, server := range in.Resolvers {
		if !IsNameServer(server) {
			return nil, fault.New(fault.InvalidArguments, "%q is no name server: give a host, or host:port", server)
		}
	}
	identifiers, err := pki.IdentifiersOf(in.Names)
	if err != nil {
		return nil, err
	}
	r := newResolver(in.Resolvers, false)
	names := each(identifiers, func(identifier acme.Identifier) Examined {
		if identifier.Type == "ip" {
			return Examined{Type: identifier.Type, Name: identifier.Value, Addresses: []string{identifier.Value}}
		}
		return r.examine(ctx, identifier.Value, in.Issuers, in.Methods)
	})
	if err := ctx.Err(); err != nil {
		return nil, interrupted(err, "asking the DNS")
	}
	return &ExamineResult{names}, nil
}

func (r *resolver) examine(ctx context.Context, name string, issuers, methods []string) Examined {
	found := Examined{Type: "dns", Name: name, Addresses: []string{}}
	base, wildcard := strings.CutPrefix(name, "*.")
	base = dns.Fqdn(base)
	zone, err := r.zone(ctx, base)
	found.Zone, found.ZoneError = strings.TrimSuffix(zone, "."), words(err)
	for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA} {
		answer, err := r.resolve(ctx, base, kind)
		if err != nil {
			found.AddressesError = words(err)
			continue
		}
		for _, rr := range answer.Answer {
			switch rr := rr.(type) {
			case *dns.A:
				found.Addresses = append(found.Addresses, rr.A.String())
			case *dns.AAAA:
				found.Addresses = append(found.Addresses, rr.AAAA.String())
			}
		}
	}
	records, err := r.caa(ctx, base)
	found.CAA.Error = words(err)
	for _, record := range records {
		found.CAA.Domain = strings.TrimSuffix(record.Hdr.Name, ".")
		found.CAA.Records = append(found.CAA.Records, strings.TrimPrefix(record.String(), record.Hdr.String()))
	}
	found.CAA.Refusal = refusal(records, issuers, methods, wildcard)
	return found
}

func words(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// caa finds the records that count for a name: its own, or else those of the nearest
// name above it (RFC 8659 section 3).
func (r *resolver) caa(ctx context.Context, name string) ([]*dns.CAA, error) {
	for offset, end := 0, false; !end; offset, end = dns.NextLabel(name, offset) {
		answer, err := r.resolve(ctx, name[offset:], dns.TypeCAA)
		if err != nil {
			return nil, err // a CA that cannot find them out does not issue, either
		}
		var records []*dns.CAA
		for _, rr := range answer.Answer {
			if record, ok := rr.(*dns.CAA); ok {
				records = append(records, record)
			}
		}
		if len(records) > 0 {
			return records, nil
		}
	}
	return nil, nil
}

// critical is the only flag (RFC 8659 section 4.1).
const critical = 128

// knownTags are those of RFC 8659, and of the registry that it made, which say
// nothing against an issuance.
var knownTags = []string{"issue", "issuewild", "iodef", "contactemail", "contactphone", "issuemail", "issuevmc"}

// refusal says why a set of records forbids one of these issuers to issue: RFC 8659
// section 4, and validationmethods of RFC 8657. Whether accounturi fits depends on the
// account, so it is not looked at.
func refusal(records []*dns.CAA, issuers, methods []string, wildcard bool) string {
	relevant := map[string][]*dns.CAA{}
	for _, record := range records {
		tag := strings.ToLower(record.Tag)
		if record.Flag&critical != 0 && !slices.Contains(knownTags, tag) {
			return "a critical record has the tag " + record.Tag + ", which no CA may overlook"
		}
		relevant[tag] = append(relevant[tag], record)
	}
	tag := "issue"
	if wildcard && len(relevant["issuewild"]) > 0 {
		tag = "issuewild"
	}
	if len(relevant[tag]) == 0 {
		return ""
	}
	why := "no " + tag + " record names " + strings.Join(issuers, " or ")
	for _, record := range relevant[tag] {
		issuer, rest, _ := strings.Cut(record.Value, ";")
		issuer = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(issuer), "."))
		if !slices.ContainsFunc(issuers, func(each string) bool { return strings.EqualFold(each, issuer) }) {
			continue
		}
		if allowed := validationMethods(rest); allowed != nil && !overlap(allowed, methods) {
			why = "the " + tag + " record for " + issuer + " allows " + strings.Join(allowed, ", ") + " only"
			continue
		}
		return ""
	}
	return why
}

// validationMethods reads the parameter of RFC 8657 section 4; nil where there is none.
func validationMethods(parameters string) []string {
	for field := range strings.SplitSeq(parameters, ";") {
		tag, value, _ := strings.Cut(field, "=")
		if strings.EqualFold(strings.TrimSpace(tag), "validationmethods") {
			return strings.Split(strings.TrimSpace(value), ",")
		}
	}
	return nil
}

func overlap(allowed, methods []string) bool {
	return len(methods) == 0 || slices.ContainsFunc(methods, func(each string) bool { return slices.Contains(allowed, each) })
}
