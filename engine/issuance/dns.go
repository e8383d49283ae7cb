package issuance

import (
	"strconv"

	"pylego/engine/caller"
	"pylego/engine/dnssolver"
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

func (d DNS) solver(here caller.Caller, reporter report.Reporter) solver {
	environment := here.Environment.With(d.Variables)
	// As lego reads it: what is no boolean is false.
	disabled, _ := strconv.ParseBool(environment.Get("LEGO_DISABLE_CNAME_SUPPORT"))
	return dnssolver.New(dnssolver.Config{
		Config: providerhost.Config{
			Provider:    d.Provider,
			Environment: environment.Entries(),
			Directory:   string(here.Directory),
			Resolvers:   d.Resolvers,
		},
		Propagation: dnssolver.Propagation{
			Wait:          caller.Seconds(d.Propagation.Wait),
			Authoritative: d.Propagation.Authoritative,
			Recursive:     d.Propagation.Recursive,
			Resolvers:     d.Resolvers,
			DisableCNAME:  disabled,
		},
		Report: reporter,
	})
}
