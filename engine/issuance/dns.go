package issuance

import (
	"context"
	"strconv"
	"time"

	"pylego/engine/caller"
	"pylego/engine/dnssolver"
	"pylego/engine/fault"
	"pylego/engine/providerhost"
	"pylego/engine/report"
)

// DNS configures dns-01: a provider of lego's, its settings, and how to tell
// that a record is visible.
type DNS struct {
	Provider    string            `json:"provider,omitempty"`
	Variables   map[string]string `json:"variables,omitempty"` // put over the caller's environment
	Resolvers   []string          `json:"resolvers,omitempty"` // host or host:port; instead of the system's
	Propagation Propagation       `json:"propagation,omitzero"`
}

// Propagation says what has to be seen before the CA is told.
type Propagation struct {
	Wait          float64 `json:"wait,omitempty"` // seconds; above 0 it replaces the checks
	Authoritative bool    `json:"authoritative,omitempty"`
	Recursive     bool    `json:"recursive,omitempty"`
}

func (d DNS) solver(here caller.Caller, cleanUp time.Duration, reporter report.Reporter) solver {
	environment := here.Environment.With(d.Variables)
	propagation := d.propagation(environment)
	propagation.DisableCNAME = switched(environment, "LEGO_DISABLE_CNAME_SUPPORT")
	return dnssolver.New(dnssolver.Config{
		Config: providerhost.Config{
			Provider:    d.Provider,
			Environment: environment.Entries(),
			Directory:   string(here.Directory),
			Resolvers:   d.Resolvers,
		},
		Propagation: propagation,
		Grace:       cleanUp / 2, // the other half is for taking the record away
		Report:      reporter,
	})
}

// switched reads a switch as lego does: what is no boolean is false.
func switched(environment caller.Environment, name string) bool {
	on, _ := strconv.ParseBool(environment.Get(name))
	return on
}

func (d DNS) propagation(environment caller.Environment) dnssolver.Propagation {
	return dnssolver.Propagation{
		Wait:          caller.Seconds(d.Propagation.Wait),
		Authoritative: d.Propagation.Authoritative,
		Recursive:     d.Propagation.Recursive,
		Resolvers:     d.Resolvers,
		TCPOnly:       switched(environment, "LEGO_EXPERIMENTAL_DNS_TCP_ONLY"),
	}
}

// looks is the propagation where a record has to be seen: somewhere, that is.
func (d DNS) looks(here caller.Caller) (dnssolver.Propagation, error) {
	if !d.Propagation.Authoritative && !d.Propagation.Recursive {
		return dnssolver.Propagation{}, fault.New(fault.InvalidArguments, "no name server is to be looked at: check_authoritative and check_recursive are both off")
	}
	return d.propagation(here.Environment), nil
}

func (d DNS) checkResolvers() error {
	for _, server := range d.Resolvers {
		if !dnssolver.IsNameServer(server) {
			return fault.New(fault.InvalidArguments, "%q in resolvers is no name server: allowed are `host` and `host:port`", server)
		}
	}
	return nil
}

// VerifyInput asks for one TXT record.
type VerifyInput struct {
	Caller caller.Caller `json:"caller"`
	DNS
	Name   string  `json:"name"`
	Value  string  `json:"value"`
	Within float64 `json:"within,omitempty"` // seconds; 0: it has to be there now
}

// Verified is the answer where the record is there.
type Verified struct{}

// VerifyRecord is the operation verify_record.
func VerifyRecord(ctx context.Context, in VerifyInput, _ report.Reporter) (Verified, error) {
	if err := in.checkResolvers(); err != nil {
		return Verified{}, err
	}
	looks, err := in.looks(in.Caller)
	if err != nil {
		return Verified{}, err
	}
	return Verified{}, dnssolver.Verify(ctx, looks, in.Name, in.Value, caller.Seconds(in.Within))
}
