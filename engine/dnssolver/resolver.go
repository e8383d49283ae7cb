package dnssolver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// resolver asks the recursive servers of one order, and no others: where they
// are given, the system's resolver would look into another world.
type resolver struct {
	servers []string
	tcpOnly bool
}

// publicResolvers are lego's choice where /etc/resolv.conf names none: the host
// and the check must not see different worlds.
var publicResolvers = []string{"1.1.1.1:53", "1.0.0.1:53"}

func newResolver(given []string, tcpOnly bool) *resolver {
	if len(given) == 0 {
		if system, err := dns.ClientConfigFromFile("/etc/resolv.conf"); err == nil {
			given = system.Servers
		}
	}
	if len(given) == 0 {
		given = publicResolvers
	}
	r := &resolver{tcpOnly: tcpOnly}
	for _, address := range given {
		if _, _, err := net.SplitHostPort(address); err != nil {
			address = net.JoinHostPort(strings.Trim(address, "[]"), "53")
		}
		r.servers = append(r.servers, address)
	}
	return r
}

// IsNameServer takes names and addresses, with a port or without.
func IsNameServer(server string) bool {
	host, port, err := net.SplitHostPort(server)
	if err != nil {
		host, port = strings.TrimSuffix(strings.TrimPrefix(server, "["), "]"), "53"
	}
	if number, err := strconv.Atoi(port); err != nil || number < 1 || number > 65535 {
		return false
	}
	_, err = netip.ParseAddr(host)
	return err == nil || hostName.MatchString(host)
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?$`)

// maxServers bounds a zone's servers that are asked, and the addresses of each: a
// packet has room for thousands, and each would cost sockets of this process at
// once. The root has 13.
const maxServers = 16

// server is an authoritative server of a zone.
type server struct {
	name      string
	addresses []string
}

// authoritative finds the servers of the zone that name is in.
func (r *resolver) authoritative(ctx context.Context, name string, port int) ([]server, error) {
	zone, err := r.zone(ctx, name)
	if err != nil {
		return nil, err
	}
	answer, err := r.resolve(ctx, zone, dns.TypeNS)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, rr := range answer.Answer {
		if ns, ok := rr.(*dns.NS); ok && !slices.Contains(names, strings.ToLower(ns.Ns)) && len(names) < maxServers {
			names = append(names, strings.ToLower(ns.Ns))
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("the zone %s names no servers (%s)", zone, rcode(answer))
	}
	if port == 0 {
		port = 53
	}
	servers := each(names, func(name string) server {
		return server{name, r.addresses(ctx, name, strconv.Itoa(port))}
	})
	if i := slices.IndexFunc(servers, func(s server) bool { return len(s.addresses) == 0 }); i >= 0 {
		return nil, fmt.Errorf("the server %s of the zone %s has no address", servers[i].name, zone)
	}
	return servers, nil
}

// zone walks up from name to the first that has an SOA record, as lego does.
// Where the answer for a name without one says in its authority section which
// zone that is (RFC 2308), the walk ends there.
func (r *resolver) zone(ctx context.Context, name string) (string, error) {
	var last string
	var failed error
	for offset, end := 0, false; !end; offset, end = dns.NextLabel(name, offset) {
		parent := name[offset:]
		answer, err := r.resolve(ctx, parent, dns.TypeSOA)
		if silent(err) && ctx.Err() == nil {
			failed = err // nobody answers for this one: its parents may be told
			continue
		}
		if err != nil {
			return "", err
		}
		for _, rr := range answer.Answer {
			if soa, ok := rr.(*dns.SOA); ok && strings.EqualFold(soa.Hdr.Name, parent) {
				return soa.Hdr.Name, nil
			}
		}
		for _, rr := range answer.Ns {
			// Behind a CNAME it is the zone of another name.
			if soa, ok := rr.(*dns.SOA); ok && len(answer.Answer) == 0 && dns.IsSubDomain(soa.Hdr.Name, parent) {
				return soa.Hdr.Name, nil
			}
		}
		last = rcode(answer)
	}
	if failed != nil {
		return "", failed
	}
	return "", fmt.Errorf("no zone was found for %s (last answer %s)", name, last)
}

// addresses asks for both families at once.
func (r *resolver) addresses(ctx context.Context, name, port string) []string {
	found := each([]uint16{dns.TypeA, dns.TypeAAAA}, func(kind uint16) []string {
		answer, err := r.resolve(ctx, name, kind)
		if err != nil {
			return nil
		}
		var addresses []string
		for _, rr := range answer.Answer {
			switch rr := rr.(type) {
			case *dns.A:
				addresses = append(addresses, net.JoinHostPort(rr.A.String(), port))
			case *dns.AAAA:
				addresses = append(addresses, net.JoinHostPort(rr.AAAA.String(), port))
			}
		}
		return addresses[:min(len(addresses), maxServers)]
	})
	return slices.Concat(found...)
}

// resolve takes the first usable answer of the resolvers, asked in their order.
func (r *resolver) resolve(ctx context.Context, name string, kind uint16) (*dns.Msg, error) {
	var failures []error
	for _, address := range r.servers {
		answer, err := r.exchange(ctx, address, name, kind, true)
		switch {
		case err != nil:
			failures = append(failures, fmt.Errorf("%s: %w", address, err))
		case answer.Rcode != dns.RcodeSuccess && answer.Rcode != dns.RcodeNameError:
			failures = append(failures, fmt.Errorf("%s: %s for %s %s", address, rcode(answer), name, dns.TypeToString[kind]))
		default:
			return answer, nil
		}
	}
	return nil, errors.Join(failures...)
}

// askAll asks every resolver for the record.
func (r *resolver) askAll(ctx context.Context, name string, does func(string) bool) []look {
	return each(r.servers, func(address string) look {
		l := r.ask(ctx, address, name, does, true)
		l.server = address
		return l
	})
}

// ask looks for the record on one server.
func (r *resolver) ask(ctx context.Context, address, name string, does func(string) bool, recursive bool) look {
	answer, err := r.exchange(ctx, address, name, dns.TypeTXT, recursive)
	if err != nil {
		return look{answer: err.Error(), skipped: unreachable(err), silent: silent(err)}
	}
	l := look{answer: rcode(answer)}
	var values []string
	for _, rr := range answer.Answer {
		switch rr := rr.(type) {
		case *dns.TXT:
			text := strings.Join(rr.Txt, "")
			l.found = l.found || does(text)
			values = append(values, strconv.Quote(text))
		case *dns.CNAME:
			if strings.EqualFold(rr.Hdr.Name, name) {
				l.cname = strings.ToLower(rr.Target)
			}
		}
	}
	switch {
	case len(values) > 0:
		l.answer = "TXT " + strings.Join(values, ", ")
	case l.cname != "":
		l.answer = "CNAME " + l.cname
	case answer.Rcode == dns.RcodeSuccess:
		l.answer = "no TXT record"
	}
	return l
}

// silent tells the network's failures from answers of servers.
func silent(err error) bool { return errors.As(err, new(net.Error)) || errors.Is(err, io.EOF) }

// rcode names an answer's response code; not every number has a name.
func rcode(answer *dns.Msg) string {
	if name, ok := dns.RcodeToString[answer.Rcode]; ok {
		return name
	}
	return "RCODE " + strconv.Itoa(answer.Rcode)
}

// attempts are how long an answer over UDP is waited for: a lost packet costs
// the first, a resolver that has to look far gets the second.
var attempts = []time.Duration{time.Second, 4 * time.Second}

// exchange asks one server over UDP, and over TCP where the answer was cut short or
// where there is no UDP.
func (r *resolver) exchange(ctx context.Context, address, name string, kind uint16, recursive bool) (*dns.Msg, error) {
	question := new(dns.Msg)
	question.SetQuestion(dns.Fqdn(name), kind)
	question.RecursionDesired = recursive
	question.SetEdns0(1232, false) // fits into every path: DNS Flag Day 2020

	if r.tcpOnly {
		return exchangeOnce(ctx, "tcp", address, question, attempts[len(attempts)-1])
	}
	var answer *dns.Msg
	var err error
	for _, timeout := range attempts {
		answer, err = exchangeOnce(ctx, "udp", address, question, timeout)
		var timedOut net.Error
		if err == nil || !errors.As(err, &timedOut) || !timedOut.Timeout() || ctx.Err() != nil {
			break
		}
	}
	if err == nil && answer.Truncated {
		answer, err = exchangeOnce(ctx, "tcp", address, question, attempts[len(attempts)-1])
	}
	return answer, err
}

// exchangeOnce ends with its context: miekg's client keeps to a deadline, but
// does not see a cancellation until it has passed.
func exchangeOnce(ctx context.Context, network, address string, question *dns.Msg, timeout time.Duration) (*dns.Msg, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	client := &dns.Client{Net: network, Timeout: timeout}
	conn, err := client.DialContext(ctx, address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	answer, _, err := client.ExchangeWithConnContext(ctx, question, conn)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return answer, err
}

// each runs f on all at once, and keeps their order.
func each[A, B any](in []A, f func(A) B) []B {
	out := make([]B, len(in))
	var running sync.WaitGroup
	for i := range in {
		running.Go(func() { out[i] = f(in[i]) })
	}
	running.Wait()
	return out
}
