// Package ownsolver has challenges answered by the caller's own code.
package ownsolver

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"strings"
	"time"

	legoacme "github.com/go-acme/lego/v5/acme"

	"pylego/engine/acme"
	"pylego/engine/dnssolver"
	"pylego/engine/fault"
	"pylego/engine/question"
	"pylego/engine/report"
)

// Config describes a solver as its owner's process knows it.
type Config struct {
	Number int           // of the call's solvers
	Alone  string        // what keeps its calls apart in this process; none: they may be made at once
	Looks  bool          // whether it waits until its answers are visible
	Grace  time.Duration // how long a withdrawn call is waited for
	Report report.Reporter
}

// Solver asks the caller to present answers of one type, and to clean them up.
type Solver struct {
	kind   string
	config Config
}

// New makes a solver of a challenge type.
func New(kind string, config Config) *Solver { return &Solver{kind, config} }

// Type is the challenge's type.
func (s *Solver) Type() string { return s.kind }

// Waits reports whether it looks for its answers itself.
func (s *Solver) Waits() bool { return s.config.Looks }

// Prepare has nothing to do: the caller's code is there.
func (s *Solver) Prepare(context.Context) error { return nil }

// Release has nothing to do either.
func (s *Solver) Release() {}

// Present has the answer made visible.
func (s *Solver) Present(ctx context.Context, answer acme.Answer) error {
	return s.change(ctx, s.config.Grace, "present", answer)
}

// CleanUp has the answer taken away.
func (s *Solver) CleanUp(ctx context.Context, answer acme.Answer) error {
	return s.change(ctx, 0, "clean_up", answer)
}

// Wait lets the caller's code look until the answer is visible.
func (s *Solver) Wait(ctx context.Context, answer acme.Answer) error {
	if !s.config.Looks {
		return nil
	}
	return s.ask(ctx, 0, "wait", answer)
}

// SetTXT has a record written that stays (dns-persist-01).
func (s *Solver) SetTXT(ctx context.Context, answer acme.Answer, name, text string) error {
	leave, err := s.turn(ctx, answer)
	if err != nil {
		return err
	}
	defer leave()
	return s.put(ctx, s.config.Grace, "set_txt", map[string]any{"name": name, "value": text})
}

func (s *Solver) change(ctx context.Context, grace time.Duration, ask string, answer acme.Answer) error {
	leave, err := s.turn(ctx, answer)
	if err != nil {
		return err
	}
	defer leave()
	return s.ask(ctx, grace, ask, answer)
}

// turn waits until no other order's call is disturbed: who reads a zone, changes it
// and writes it back would undo what another has written meanwhile.
func (s *Solver) turn(ctx context.Context, answer acme.Answer) (leave func(), err error) {
	if s.config.Alone == "" {
		return func() {}, nil
	}
	leave, err = dnssolver.Alone(ctx, "own "+s.config.Alone, func() {
		s.config.Report(report.Event{Kind: report.Waiting, Identifier: answer.Name(), Challenge: s.kind, Detail: "the solver does one thing at a time"})
	})
	if err != nil {
		return nil, fault.Interrupted(err, "still in line for the solver")
	}
	return leave, nil
}

// challenge is an Answer as the caller's code gets it.
type challenge struct {
	Type             string              `json:"type"`
	Identifier       legoacme.Identifier `json:"identifier"`
	Wildcard         bool                `json:"wildcard"`
	Token            string              `json:"token"`
	KeyAuthorization string              `json:"key_authorization"`
	Name             string              `json:"name"`  // of the record; none for other types
	Value            string              `json:"value"` // of the record
}

func (s *Solver) ask(ctx context.Context, grace time.Duration, ask string, answer acme.Answer) error {
	return s.put(ctx, grace, ask, map[string]any{"challenge": s.describe(answer)})
}

// put is one question to the caller's code.
func (s *Solver) put(ctx context.Context, grace time.Duration, ask string, input map[string]any) error {
	input["solver"] = s.config.Number
	refusal, err := question.Do(ctx, grace, ask, input)
	if err == nil && refusal != "" {
		return fault.New(fault.SolverFailed, "%s of the solver failed: %s", ask, refusal)
	}
	return err
}

func (s *Solver) describe(answer acme.Answer) challenge {
	c := challenge{
		Type: s.kind, Identifier: answer.Identifier, Wildcard: answer.Wildcard,
		Token: answer.Token, KeyAuthorization: answer.KeyAuthorization,
	}
	if labels := labelsOf(s.kind, answer); labels != "" {
		digest := sha256.Sum256([]byte(answer.KeyAuthorization))
		c.Name, c.Value = labels+"."+answer.Identifier.Value, base64.RawURLEncoding.EncodeToString(digest[:])
	}
	return c
}

// labelsOf are those of the record before the name: RFC 8555 section 8.4, and the
// draft on the account's own label, by which several accounts prove the same name.
func labelsOf(kind string, answer acme.Answer) string {
	switch kind {
	case "dns-01":
		return "_acme-challenge"
	case "dns-account-01":
		digest := sha256.Sum256([]byte(answer.AccountURL))
		return "_" + strings.ToLower(base32.StdEncoding.EncodeToString(digest[:10])) + "._acme-challenge"
	}
	return ""
}
