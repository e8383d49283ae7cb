package testca

import (
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func ask(t *testing.T, server *Server, network, name string, kind uint16) *dns.Msg {
	t.Helper()

	client := &dns.Client{Net: network, Timeout: time.Minute}

	reply, _, err := client.Exchange(new(dns.Msg).SetQuestion(dns.Fqdn(name), kind), server.Info().DNS)
	if err != nil {
		t.Fatalf("%s %s: %v", name, dns.TypeToString[kind], err)
	}

	return reply
}

// lookup asks one question and gives only the error.
func lookup(server *Server) error {
	client := &dns.Client{Net: "tcp", Timeout: time.Minute}
	_, _, err := client.Exchange(new(dns.Msg).SetQuestion("a.example.", dns.TypeA), server.Info().DNS)

	return err
}

// short writes what was answered without TTL and class: "a.example. A 127.0.0.1".
func short(records []dns.RR) string {
	lines := make([]string, len(records))

	for i, record := range records {
		text := strings.ReplaceAll(record.String(), "\t0\tIN\t", " ")
		lines[i] = strings.ReplaceAll(text, "\t", " ")
	}

	return strings.Join(lines, "; ")
}

func TestAnswers(t *testing.T) {
	t.Parallel()

	server := start(t, Config{Addresses: []string{"127.0.0.1"}})
	d := server.DNS()
	d.SetTXT("_acme-challenge.A.example.", "one", "two")
	d.SetTXT("_acme-challenge.delegated.example", "three")
	d.SetCNAME("_acme-challenge.alias.example", "hop.example.")
	d.SetCNAME("hop.example", "_acme-challenge.delegated.example")
	d.SetCNAME("loop.example", "loop.example")
	d.SetCAA("example", CAA{Flag: 128, Tag: "issue", Value: "pebble.letsencrypt.org"})
	d.SetNXDomain("gone.example", true)
	d.SetZone("sub.zone.example")

	for _, err := range []error{d.SetA("two.example", "127.0.0.2", "127.0.0.3"), d.SetAAAA("two.example", "::1"), d.SetA("none.example")} {
		if err != nil {
			t.Fatal(err)
		}
	}

	for _, row := range []struct {
		name   string
		kind   uint16
		rcode  int
		answer string
		zone   string // of the SOA that says there is nothing
	}{
		{"any.where.example", dns.TypeA, dns.RcodeSuccess, "any.where.example. A 127.0.0.1", ""},
		{"any.where.example", dns.TypeAAAA, dns.RcodeSuccess, "", "where.example."},
		{"two.example", dns.TypeA, dns.RcodeSuccess, "two.example. A 127.0.0.2; two.example. A 127.0.0.3", ""},
		{"two.example", dns.TypeAAAA, dns.RcodeSuccess, "two.example. AAAA ::1", ""},
		{"none.example", dns.TypeA, dns.RcodeSuccess, "", "none.example."},
		{"_ACME-challenge.a.EXAMPLE", dns.TypeTXT, dns.RcodeSuccess,
			`_ACME-challenge.a.EXAMPLE. TXT "one"; _ACME-challenge.a.EXAMPLE. TXT "two"`, ""},
		{"_acme-challenge.alias.example", dns.TypeTXT, dns.RcodeSuccess, `_acme-challenge.alias.example. CNAME hop.example.; ` +
			`hop.example. CNAME _acme-challenge.delegated.example.; _acme-challenge.delegated.example. TXT "three"`, ""},
		{"hop.example", dns.TypeCNAME, dns.RcodeSuccess, "hop.example. CNAME _acme-challenge.delegated.example.", ""},
		{"loop.example", dns.TypeTXT, dns.RcodeServerFailure, "", ""},
		{"example", dns.TypeCAA, dns.RcodeSuccess, `example. CAA 128 issue "pebble.letsencrypt.org"`, ""},
		{"gone.example", dns.TypeTXT, dns.RcodeNameError, "", "gone.example."},
		{"where.example", dns.TypeNS, dns.RcodeSuccess, "where.example. NS ns1.where.example.", ""},
		{"any.where.example", dns.TypeSOA, dns.RcodeSuccess, "", "where.example."},
		{"where.example", dns.TypeSOA, dns.RcodeSuccess,
			"where.example. SOA ns1.where.example. hostmaster.where.example. 1 3600 600 86400 0", ""},
		{"x.sub.zone.example", dns.TypeSOA, dns.RcodeSuccess, "", "sub.zone.example."},
		{"any.where.example", dns.TypeMX, dns.RcodeSuccess, "", "where.example."},
		{".", dns.TypeNS, dns.RcodeSuccess, ". NS ns1.", ""},
	} {
		for _, network := range []string{"udp", "tcp"} {
			reply := ask(t, server, network, row.name, row.kind)
			what := network + " " + row.name + " " + dns.TypeToString[row.kind]

			if reply.Rcode != row.rcode || short(reply.Answer) != row.answer {
				t.Errorf("%s: %s %s", what, dns.RcodeToString[reply.Rcode], short(reply.Answer))
			}

			if len(reply.Ns) > 0 != (row.zone != "") || row.zone != "" && reply.Ns[0].Header().Name != row.zone {
				t.Errorf("%s: authority %s", what, short(reply.Ns))
			}
		}
	}
}

func TestALongValueIsOneRecord(t *testing.T) {
	t.Parallel()

	server := start(t, Config{})
	value := strings.Repeat("x", 300)
	server.DNS().SetTXT("a.example", value)

	reply := ask(t, server, "tcp", "a.example", dns.TypeTXT)
	if record, is := reply.Answer[0].(*dns.TXT); !is || strings.Join(record.Txt, "") != value {
		t.Error(short(reply.Answer))
	}
}

func TestALongAnswerIsTruncatedByUDPOnly(t *testing.T) {
	t.Parallel()

	server := start(t, Config{})
	for i := range 50 {
		server.DNS().AddTXT("a.example", strings.Repeat("x", 20+i))
	}

	if reply := ask(t, server, "udp", "a.example", dns.TypeTXT); !reply.Truncated {
		t.Errorf("%d records by UDP", len(reply.Answer))
	}

	if reply := ask(t, server, "tcp", "a.example", dns.TypeTXT); len(reply.Answer) != 50 {
		t.Errorf("%d records by TCP", len(reply.Answer))
	}
}

func TestSoManyAnswersFail(t *testing.T) {
	t.Parallel()

	server := start(t, Config{})
	server.DNS().SetServfail("a.example", 2)

	for i, want := range []int{dns.RcodeServerFailure, dns.RcodeServerFailure, dns.RcodeSuccess} {
		if reply := ask(t, server, "udp", "a.example", dns.TypeA); reply.Rcode != want {
			t.Errorf("answer %d: %s", i, dns.RcodeToString[reply.Rcode])
		}
	}
}

func TestADelayHoldsForItsNameOnly(t *testing.T) {
	t.Parallel()

	server := start(t, Config{})
	server.DNS().SetDelay("slow.example", 30*time.Millisecond)

	begun := time.Now()
	ask(t, server, "udp", "slow.example", dns.TypeA)

	if took := time.Since(begun); took < 30*time.Millisecond {
		t.Errorf("took %s", took)
	}

	if delay := server.DNS().delayOf("fast.example"); delay != 0 {
		t.Errorf("another name waits %s", delay)
	}
}

func TestAValidationWaitsForADNSThatIsBusy(t *testing.T) {
	t.Parallel()

	server := start(t, Config{})
	server.DNS().SetDelay("_acme-challenge.busy.example", 2500*time.Millisecond)
	obtain(t, server, newAccount(t, server), "dns-01", "busy.example")
}

func TestClearForgets(t *testing.T) {
	t.Parallel()

	server := start(t, Config{})
	d := server.DNS()
	d.AddTXT("a.example", "one")
	d.AddTXT("b.example", "two")
	d.RemoveTXT("b.example", "never there")
	d.Clear("a.example")

	if left := d.Records(); len(left) != 1 || len(d.Log()) != 3 {
		t.Errorf("records %v, log %v", left, d.Log())
	}

	d.Clear()

	if left := d.Records(); len(left) != 0 || len(d.Log()) != 0 {
		t.Errorf("records %v, log %v", left, d.Log())
	}
}
