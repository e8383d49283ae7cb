package acme

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	legoacme "github.com/go-acme/lego/v5/acme"

	"pylego/engine/transport"
)

// Problem is a CA's refusal (RFC 7807; RFC 8555 section 6.7).
type Problem struct {
	legoacme.ProblemDetails
	RetryAfter time.Duration // 0: the CA did not say
	Page       bool          // no problem document: the answer of a proxy, say, and not the CA's words
}

func (p *Problem) Error() string {
	if p.Page {
		return p.Detail
	}
	return fmt.Sprintf("the CA answered %s (HTTP %d): %s", ShortType(p.Type), p.HTTPStatus, p.Detail)
}

// Is reports whether err is, or comes from, a problem of one of these types.
func Is(err error, types ...string) bool {
	var problem *Problem
	if !errors.As(err, &problem) {
		return false
	}
	for _, t := range types {
		if problem.Type == t {
			return true
		}
	}
	return false
}

// Refusal finds the problem among an error's causes, if the CA described one.
func Refusal(err error) (*Problem, bool) {
	var problem *Problem
	return problem, errors.As(err, &problem) && !problem.Page
}

// denied tells a CA's no to what was asked from its trouble, and from that of the way to it.
func denied(err error) bool {
	problem, refused := Refusal(err)
	return refused && problem.Type != legoacme.BadNonceErrorType &&
		problem.HTTPStatus < http.StatusInternalServerError && problem.HTTPStatus != http.StatusTooManyRequests
}

// ShortType is the last segment of a problem's URN: "rateLimited"; "unknown" if there is none.
func ShortType(urn string) string {
	short := urn[strings.LastIndex(urn, ":")+1:]
	if short == "" {
		return "unknown"
	}
	return short
}

// problemOf reads an answer with an error status. One that is no problem
// document (a proxy's page, say) becomes a Page.
func problemOf(response *transport.Response, address string) *Problem {
	problem := &Problem{RetryAfter: response.RetryAfter()}
	if json.Unmarshal(response.Body, &problem.ProblemDetails) != nil || (problem.Type == "" && problem.Detail == "") {
		problem.Page = true
		problem.ProblemDetails = legoacme.ProblemDetails{
			Detail: fmt.Sprintf("%s answered HTTP %d (%s) without a problem document", address, response.Status, http.StatusText(response.Status)),
		}
	}
	problem.HTTPStatus = response.Status // what was seen, whatever the document says
	problem.URL = address
	return problem
}
