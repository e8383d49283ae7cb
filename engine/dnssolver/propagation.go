package dnssolver

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-acme/lego/v5/challenge/dns01"
	"github.com/miekg/dns"

	"pylego/engine/acme"
	"pylego/engine/fault"
	"pylego/engine/system"
)

const (
	firstPause = 50 * time.Millisecond
	maxCNAMEs  = 16
)

// Wait returns when the record can be seen as Propagation asks. lego sleeps an
// interval before it looks first, and asks one server after the other; here the
// first look is at once, all servers are asked at once, and the pauses grow up
// to the provider's interval until the provider's timeout or the context's.
func (s *Solver) Wait(ctx context.Context, answer acme.Answer) error {
	p := s.config.Propagation
	r := s.record(answer)
	r.mu.Lock()
	info := r.info
	r.mu.Unlock()
	switch {
	case p.Wait > 0:
		if err := system.Sleep(ctx, p.Wait); err != nil {
			return interrupted(err, "waiting for propagation of "+info.EffectiveFQDN)
		}
		return nil
	case !p.Authoritative && !p.Recursive:
		return nil
	case info.EffectiveFQDN == "":
		return fault.New(fault.EngineError, "the record for %s was not presented", answer.Name())
	}

	s.mu.Lock()
	ready := s.ready
	s.mu.Unlock()
	return newCheck(p, info.EffectiveFQDN, info.Value).run(ctx, ready.Timeout, ready.Interval)
}

// check looks for one record until every server that counts has it.
type check struct {
	propagation Propagation
	resolver    *resolver
	name        string // where the record is; moves along CNAMEs
	value       string
	does        func(text string) bool // whether a record is one that is sought
	cnames      int
	servers     []server // of the zone of name; found once
	last        []look   // of the last round
}

// look is what one server answered.
type look struct {
	server  string
	found   bool
	cname   string // the name is an alias
	answer  string // for people
	skipped bool   // cannot be reached from here
	silent  bool   // there was no answer: the network failed
}

func newCheck(p Propagation, name, value string) *check {
	is := func(text string) bool { return text == value }
	return &check{propagation: p, resolver: newResolver(p.Resolvers, p.TCPOnly), name: dns.Fqdn(name), value: value, does: is}
}

func (c *check) run(ctx context.Context, timeout, interval time.Duration) error {
	if timeout <= 0 {
		timeout = dns01.DefaultPropagationTimeout
	}
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for pause := firstPause; ; pause = longer(pause, interval) {
		found := c.once(limited)
		switch {
		case found:
			return nil
		case ctx.Err() != nil:
			return c.brokenOff(ctx)
		case limited.Err() != nil:
			return c.missing(fmt.Sprintf("not propagated after %v: %s", timeout, c.describe()))
		}
		_ = system.Sleep(limited, pause) // where it was cut short, the look that follows is too
	}
}

// longer is the pause after this one: up to the provider's interval, which may be set to 0.
func longer(pause, interval time.Duration) time.Duration {
	return min(2*pause, max(interval, firstPause))
}

// once looks everywhere, behind the aliases on the way too.
func (c *check) once(ctx context.Context) (found bool) {
	for moved := true; moved; {
		found, moved = c.round(ctx)
	}
	return found
}

func (c *check) brokenOff(ctx context.Context) error {
	return interrupted(ctx.Err(), "waiting for propagation: "+c.describe())
}

// missing is the error of who has looked for nothing.
func (c *check) missing(text string) error {
	late := fault.New(fault.PropagationTimeout, "%s", text)
	for _, l := range c.last {
		late.Answers = append(late.Answers, fault.Answer{Server: l.server, Name: c.name, Said: l.answer})
		late.Network = late.Network || !l.found && l.silent
	}
	return late
}

// round asks everyone once. Resolvers come last: asked before the record is
// there, they remember for the zone's negative TTL that it is not.
func (c *check) round(ctx context.Context) (found, moved bool) {
	if c.propagation.Authoritative {
		if c.servers == nil {
			servers, err := c.resolver.authoritative(ctx, c.name, c.propagation.Port)
			if err != nil {
				c.remember(ctx, []look{{server: "resolvers", answer: err.Error(), silent: silent(err)}})
				return false, false
			}
			c.servers = servers
		}
		looks := c.askServers(ctx)
		c.remember(ctx, looks)
		if c.follow(looks) {
			return false, true
		}
		if !all(looks) {
			return false, false
		}
	}
	if c.propagation.Recursive {
		looks := c.resolver.askAll(ctx, c.name, c.does)
		c.remember(ctx, looks)
		return all(looks), false
	}
	return true, false
}

// remember keeps the last answers; those of a round that was broken off say nothing.
func (c *check) remember(ctx context.Context, looks []look) {
	if ctx.Err() == nil || c.last == nil {
		c.last = looks
	}
}

// follow moves on where a server says that the name is an alias. lego's host
// has followed CNAMEs already; this is for one that was not seen by then.
func (c *check) follow(looks []look) bool {
	if c.propagation.DisableCNAME || c.cnames >= maxCNAMEs {
		return false
	}
	for _, l := range looks {
		if l.cname != "" && !l.found {
			c.cnames++
			c.name, c.servers = l.cname, nil
			return true
		}
	}
	return false
}

// askServers asks every address of every server at once. Of a server with
// several addresses those that cannot be reached from here do not count.
func (c *check) askServers(ctx context.Context) []look {
	return each(c.servers, func(s server) look {
		looks := each(s.addresses, func(address string) look {
			l := c.resolver.ask(ctx, address, c.name, c.does, false)
			l.server = s.name + " (" + address + ")"
			return l
		})
		if reached := slices.DeleteFunc(slices.Clone(looks), func(l look) bool { return l.skipped }); len(reached) > 0 {
			looks = reached
		}
		for _, l := range looks {
			if !l.found {
				return l
			}
		}
		return looks[0]
	})
}

func all(looks []look) bool {
	return len(looks) > 0 && !slices.ContainsFunc(looks, func(l look) bool { return !l.found })
}

// describe tells each server's last answer.
func (c *check) describe() string {
	if len(c.last) == 0 {
		return "no server was asked for " + c.name
	}
	return fmt.Sprintf("the TXT record %s with the value %s was sought; %s", c.name, c.value, c.said())
}

func (c *check) said() string {
	answers := make([]string, len(c.last))
	for i, l := range c.last {
		answers[i] = l.server + " said " + l.answer
	}
	return strings.Join(answers, "; ")
}

// Verify looks for one TXT record as Propagation asks: once, or until there is no
// more time for it.
func Verify(ctx context.Context, p Propagation, name, value string, within time.Duration) error {
	c := newCheck(p, name, value)
	if within > 0 {
		return c.run(ctx, within, dns01.DefaultPollingInterval)
	}
	switch found := c.once(ctx); {
	case found:
		return nil
	case ctx.Err() != nil:
		return c.brokenOff(ctx)
	}
	return c.missing(c.describe())
}

func interrupted(err error, text string) error {
	return fault.Wrap(fault.Ended(err), err, "%s", text)
}
