package dnssolver

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-acme/lego/v5/challenge/dns01"

	"pylego/engine/acme"
	"pylego/engine/fault"
)

// Persist is dns-persist-01 (draft-ietf-acme-dns-persist): a record that stays
// allows a CA to issue to one account. It is set once, by a person or by a program;
// here it is looked for, so that what is missing is told before the CA looks.
type Persist struct {
	config PersistConfig
}

// PersistConfig is one order's dns-persist-01.
type PersistConfig struct {
	Propagation Propagation
	Wildcard    bool  // a record that is missing shall allow wildcards, too
	Until       int64 // when it shall end, in seconds since 1970; 0: never

	// Set has a record that is missing written; nil: a person has to.
	Set func(ctx context.Context, answer acme.Answer, name, text string) error
}

// NewPersist makes a solver.
func NewPersist(config PersistConfig) *Persist { return &Persist{config} }

// Type is the challenge's type.
func (p *Persist) Type() string { return "dns-persist-01" }

// Waits reports that it looks for its records.
func (p *Persist) Waits() bool { return true }

// Prepare has nothing to do.
func (p *Persist) Prepare(context.Context) error { return nil }

// Present has nothing to do: the record stays.
func (p *Persist) Present(context.Context, acme.Answer) error { return nil }

// CleanUp leaves the record where it is.
func (p *Persist) CleanUp(context.Context, acme.Answer) error { return nil }

// Release has nothing to give back.
func (p *Persist) Release() {}

// Wait looks for a record that allows the issuance, and has it written where that can
// be done. Nobody else of this process is at the name meanwhile: who is for a wildcard
// may write another record than who is for the name itself, which then serves both.
func (p *Persist) Wait(ctx context.Context, answer acme.Answer) error {
	if answer.Issuers == "" {
		return fault.New(fault.ChallengeFailed, "the CA does not say which issuer a dns-persist-01 record has to name")
	}
	name, text := "_validation-persist."+answer.Identifier.Value, p.wanted(answer)
	leave, err := Alone(ctx, "dns-persist-01 "+name, func() {})
	if err != nil {
		return interrupted(err, "still in line for "+name)
	}
	defer leave()

	c := newCheck(p.config.Propagation, name, text)
	c.does = func(text string) bool { return allows(text, answer, time.Now()) }
	found := c.once(ctx)
	switch {
	case found:
		return nil
	case ctx.Err() != nil:
		return c.brokenOff(ctx)
	case p.config.Set == nil:
		return c.missing(fmt.Sprintf("no record allows this account: create %s TXT %q, and leave it there; %s", name, text, c.said()))
	}
	if err := p.config.Set(ctx, answer, name, text); err != nil {
		return err
	}
	return c.run(ctx, 0, dns01.DefaultPollingInterval)
}

// wanted is the record's text.
func (p *Persist) wanted(answer acme.Answer) string {
	text := fmt.Sprintf("%s; accounturi=%s", strings.Fields(answer.Issuers)[0], answer.AccountURL)
	if answer.Wildcard || p.config.Wildcard {
		text += "; policy=wildcard"
	}
	if p.config.Until != 0 {
		text += fmt.Sprintf("; persistUntil=%d", p.config.Until)
	}
	return text
}

// allows reads a record as RFC 8659 section 4.2 writes issue values.
func allows(text string, answer acme.Answer, now time.Time) bool {
	fields := strings.Split(text, ";")
	if !slices.Contains(strings.Fields(answer.Issuers), strings.TrimSpace(fields[0])) {
		return false
	}
	parameters := map[string]string{}
	for _, field := range fields[1:] {
		tag, value, _ := strings.Cut(field, "=")
		parameters[strings.ToLower(strings.TrimSpace(tag))] = strings.TrimSpace(value)
	}
	if until, limited := parameters["persistuntil"]; limited {
		seconds, err := strconv.ParseInt(until, 10, 64)
		if err != nil || now.Unix() > seconds {
			return false
		}
	}
	wide := strings.EqualFold(parameters["policy"], "wildcard")
	return parameters["accounturi"] == answer.AccountURL && (wide || !answer.Wildcard)
}
