package acme

import (
	legoacme "github.com/go-acme/lego/v5/acme"
)

// Answer is what a solver has to make visible for one challenge (RFC 8555 section 8).
type Answer struct {
	Identifier       legoacme.Identifier
	Wildcard         bool
	Token            string
	KeyAuthorization string
	AccountURL       string
	Issuers          string // that a dns-persist-01 record may name, separated by spaces
}

// Name is the identifier as a person wrote it: a wildcard has its "*." again.
func (a Answer) Name() string {
	if a.Wildcard {
		return "*." + a.Identifier.Value
	}
	return a.Identifier.Value
}
