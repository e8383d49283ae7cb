package account

import (
	"context"
	"strings"

	"github.com/go-acme/lego/v5/lego"

	"pylego/engine/report"
	"pylego/engine/transport"
)

// AuthoritiesInput asks for one CA, or for all that have a code of lego's.
type AuthoritiesInput struct {
	Directory string `json:"directory"` // a URL or a code; none: all
}

// AuthoritiesResult has them in lego's order.
type AuthoritiesResult struct {
	Authorities []Authority `json:"authorities"`
}

// Authority is what is known of a CA without asking it.
type Authority struct {
	Code      string           `json:"code"` // lego's; none for others
	Directory string           `json:"directory"`
	Staging   bool             `json:"staging"` // nobody trusts what it issues
	Limits    transport.Limits `json:"limits"`  // that this process keeps to by default
}

// Authorities is the operation authorities.
func Authorities(_ context.Context, in AuthoritiesInput, _ report.Reporter) (*AuthoritiesResult, error) {
	wanted := ""
	if in.Directory != "" {
		var err error
		if wanted, err = (Server{Directory: in.Directory}).URL(); err != nil {
			return nil, err
		}
	}
	var result AuthoritiesResult
	for _, code := range lego.GetAllCodes() {
		url, err := lego.GetDirectoryURL(code)
		if err != nil {
			return nil, err
		}
		if wanted == "" || wanted == url {
			result.Authorities = append(result.Authorities, authority(code, url))
		}
	}
	if len(result.Authorities) == 0 {
		result.Authorities = []Authority{authority("", wanted)}
	}
	return &result, nil
}

func authority(code, url string) Authority {
	return Authority{
		Code: code, Directory: url, Limits: transport.LimitsOf(url),
		Staging: strings.HasSuffix(code, "-staging"), // lego tells by the name alone
	}
}
