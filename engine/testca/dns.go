package testca

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"pylego/engine/fault"
)

// maxCNAMEs is how far a chain of CNAMEs is followed; a loop ends there.
const maxCNAMEs = 8

// maxTXTString is the longest character-string of a TXT record: RFC 1035 3.3.
const maxTXTString = 255

// DNS answers like a recursive resolver that knows nothing but its own records:
// with authority and with recursion, CNAMEs followed. It exists because lego
// and others look for SOA and NS records, which Pebble's challtestsrv has not.
// Every name exists and has the default addresses unless told otherwise. Names
// are compared without case; none are wildcards; nothing may be cached.
type DNS struct {
	mu        sync.Mutex
	addresses []netip.Addr
	names     map[string]*records // by canonical name
	zones     map[string]bool
	log       []Change

	servers []*dns.Server
	closing chan struct{}
}

func newDNS(addresses []netip.Addr) *DNS {
	d := &DNS{addresses: addresses, closing: make(chan struct{})}
	d.Clear()

	return d
}

// start listens on one port for both UDP and TCP, a free one for 0.
func (d *DNS) start(ctx context.Context, port int) (string, error) {
	packets, listener, err := listenBoth(ctx, port)
	if err != nil {
		return "", fault.Wrap(fault.NetworkError, err, "the test CA's DNS cannot listen on %s:%d", loopback, port)
	}

	for _, server := range []*dns.Server{{PacketConn: packets}, {Listener: listener}} {
		if err := d.serve(server); err != nil {
			_, _ = packets.Close(), listener.Close()
			return "", fault.Wrap(fault.EngineError, err, "the test CA's DNS did not start")
		}
	}

	return packets.LocalAddr().String(), nil
}

// serve returns when the server has started: before, it could not be shut down.
func (d *DNS) serve(server *dns.Server) error {
	started, ended := make(chan struct{}), make(chan error, 1)
	server.Handler = d
	server.ReadTimeout = 10 * time.Second // instead of 2: a busy machine may need more
	server.NotifyStartedFunc = func() { close(started) }

	go func() { ended <- server.ActivateAndServe() }()

	select {
	case <-started:
		d.servers = append(d.servers, server)
		return nil
	case err := <-ended:
		return err
	}
}

// listenBoth tries again where the free UDP port it got is taken for TCP.
func listenBoth(ctx context.Context, port int) (packets net.PacketConn, listener net.Listener, err error) {
	var config net.ListenConfig

	for range 20 {
		if packets, err = config.ListenPacket(ctx, "udp", net.JoinHostPort(loopback, strconv.Itoa(port))); err != nil {
			return nil, nil, err
		}

		if listener, err = config.Listen(ctx, "tcp", packets.LocalAddr().String()); err == nil {
			return packets, listener, nil
		}

		_ = packets.Close()
	}

	return nil, nil, err
}

// close waits until the listeners and all answers in flight have ended.
func (d *DNS) close() error {
	close(d.closing)

	for _, server := range d.servers {
		if err := server.Shutdown(); err != nil {
			return err
		}
	}

	return nil
}

// ServeDNS answers one query.
func (d *DNS) ServeDNS(w dns.ResponseWriter, query *dns.Msg) {
	err := quietly(func() {
		question := query.Question[0] // the server has refused all others
		if !d.pause(question.Name) {
			return
		}

		if err := w.WriteMsg(d.reply(w, query, question)); err != nil {
			slog.Debug(err.Error(), "source", "dns")
		}
	})
	if err != nil {
		slog.Debug(err.Error(), "source", "dns")
	}
}

// pause waits as SetDelay says; false: the server is closing.
func (d *DNS) pause(name string) bool {
	delay := d.delayOf(canonical(name))
	if delay == 0 {
		return true
	}

	timer := time.NewTimer(delay)
	defer timer.Stop()

	select {
	case <-timer.C:
		return true
	case <-d.closing:
		return false
	}
}

func (d *DNS) reply(w dns.ResponseWriter, query *dns.Msg, question dns.Question) *dns.Msg {
	reply := new(dns.Msg).SetReply(query)
	reply.Authoritative, reply.RecursionAvailable = true, true
	reply.Compress = true

	d.answer(reply, question)

	size := dns.MinMsgSize
	if options := query.IsEdns0(); options != nil {
		size = max(size, int(options.UDPSize()))
		reply.SetEdns0(dns.DefaultMsgSize, false)
	}

	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
		reply.Truncate(size)
	}

	return reply
}

// answer follows CNAMEs to the records that were asked for, and adds the SOA
// where there are none (RFC 2308).
func (d *DNS) answer(reply *dns.Msg, question dns.Question) {
	d.mu.Lock()
	defer d.mu.Unlock()

	owner := question.Name

	for range maxCNAMEs {
		name := canonical(owner)
		known := d.names[name]

		if known.takeServfail() {
			reply.Rcode, reply.Answer = dns.RcodeServerFailure, nil
			return
		}

		if known != nil && known.nxdomain {
			reply.Rcode, reply.Ns = dns.RcodeNameError, []dns.RR{d.soa(d.zoneOf(name))}
			return
		}

		if known != nil && known.cname != "" && question.Qtype != dns.TypeCNAME {
			target := dns.Fqdn(known.cname)
			reply.Answer = append(reply.Answer, &dns.CNAME{Hdr: header(owner, dns.TypeCNAME), Target: target})
			owner = target

			continue
		}

		found := d.find(owner, name, question.Qtype)
		reply.Answer = append(reply.Answer, found...)

		if len(found) == 0 {
			reply.Ns = []dns.RR{d.soa(d.zoneOf(name))}
		}

		return
	}

	reply.Rcode, reply.Answer = dns.RcodeServerFailure, nil
}

// find gives the records of one name and type; the owner is the name as asked.
func (d *DNS) find(owner, name string, kind uint16) (found []dns.RR) {
	known := d.names[name]
	if known == nil {
		known = &records{}
	}

	zone := d.zoneOf(name)

	switch kind {
	case dns.TypeSOA:
		if name == zone {
			found = append(found, d.soa(zone))
		}
	case dns.TypeNS:
		if name == zone {
			found = append(found, &dns.NS{Hdr: header(owner, kind), Ns: nameServer(zone)})
		}
	case dns.TypeCNAME:
		if known.cname != "" {
			found = append(found, &dns.CNAME{Hdr: header(owner, kind), Target: dns.Fqdn(known.cname)})
		}
	case dns.TypeTXT:
		for _, value := range known.txt {
			found = append(found, &dns.TXT{Hdr: header(owner, kind), Txt: characterStrings(value)})
		}
	case dns.TypeA:
		for _, address := range d.addressesOf(name, known.a, netip.Addr.Is4) {
			found = append(found, &dns.A{Hdr: header(owner, kind), A: address.AsSlice()})
		}
	case dns.TypeAAAA:
		for _, address := range d.addressesOf(name, known.aaaa, netip.Addr.Is6) {
			found = append(found, &dns.AAAA{Hdr: header(owner, kind), AAAA: address.AsSlice()})
		}
	case dns.TypeCAA:
		for _, caa := range known.caa {
			found = append(found, &dns.CAA{Hdr: header(owner, kind), Flag: caa.Flag, Tag: caa.Tag, Value: caa.Value})
		}
	}

	return found
}

// addressesOf gives what was set for the name, or the default of that family.
// A zone's name server is this server itself.
func (d *DNS) addressesOf(name string, set *[]netip.Addr, family func(netip.Addr) bool) []netip.Addr {
	if set != nil {
		return *set
	}

	from := d.addresses
	if dns.Fqdn(name) == nameServer(d.zoneOf(name)) {
		from = []netip.Addr{netip.MustParseAddr(loopback)}
	}

	var found []netip.Addr

	for _, address := range from {
		if family(address) {
			found = append(found, address)
		}
	}

	return found
}

// zoneOf gives the longest zone told that holds the name, else its last two labels.
func (d *DNS) zoneOf(name string) string {
	for zone := name; zone != ""; {
		if d.zones[zone] {
			return zone
		}

		_, zone, _ = strings.Cut(zone, ".")
	}

	labels := strings.Split(name, ".")

	return strings.Join(labels[max(0, len(labels)-2):], ".")
}

func (d *DNS) soa(zone string) dns.RR {
	return &dns.SOA{
		Hdr:  header(dns.Fqdn(zone), dns.TypeSOA),
		Ns:   nameServer(zone),
		Mbox: below("hostmaster", zone),

		Serial: 1, Refresh: 3600, Retry: 600, Expire: 86400,
	}
}

func nameServer(zone string) string { return below("ns1", zone) }

func below(label, zone string) string {
	if zone == "" {
		return label + "."
	}

	return label + "." + zone + "."
}

func header(owner string, kind uint16) dns.RR_Header {
	return dns.RR_Header{Name: owner, Rrtype: kind, Class: dns.ClassINET}
}

func characterStrings(value string) []string {
	var parts []string

	for len(value) > maxTXTString {
		parts, value = append(parts, value[:maxTXTString]), value[maxTXTString:]
	}

	return append(parts, value)
}
