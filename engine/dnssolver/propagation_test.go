//go:build unix

package dnssolver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"pylego/engine/fault"
)

// zone is one DNS server on loopback, resolver and authoritative server in one.
type zone struct {
	address string
	port    int
	mu      sync.Mutex
	rrs     []dns.RR
	asked   []string
	before  func(w dns.ResponseWriter, question *dns.Msg) bool // true: answered
}

func newZone(t *testing.T, rrs ...string) *zone {
	t.Helper()
	z := &zone{before: func(dns.ResponseWriter, *dns.Msg) bool { return false }}
	z.add(t, rrs...)
	z.listen(t, "127.0.0.1:0")
	return z
}

func (z *zone) listen(t *testing.T, address string) {
	t.Helper()
	packets, streams, err := listenBoth(address)
	for range 100 { // the port that is free for UDP may be taken for TCP
		if err == nil {
			break
		}
		packets, streams, err = listenBoth(address)
	}
	must(t, err)
	z.address, z.port = packets.LocalAddr().String(), packets.LocalAddr().(*net.UDPAddr).Port
	for _, server := range []*dns.Server{{PacketConn: packets, Handler: z}, {Listener: streams, Handler: z}} {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		go server.ActivateAndServe()
		<-started
		t.Cleanup(func() { _ = server.Shutdown() })
	}
}

func listenBoth(address string) (net.PacketConn, net.Listener, error) {
	packets, err := net.ListenPacket("udp", address)
	if err != nil {
		return nil, nil, err
	}
	streams, err := net.Listen("tcp", packets.LocalAddr().String())
	if err != nil {
		packets.Close()
	}
	return packets, streams, err
}

func (z *zone) add(t *testing.T, rrs ...string) {
	t.Helper()
	for _, text := range rrs {
		rr, err := dns.NewRR(text)
		must(t, err)
		z.mu.Lock()
		z.rrs = append(z.rrs, rr)
		z.mu.Unlock()
	}
}

// on has f see each question first.
func (z *zone) on(f func(w dns.ResponseWriter, question *dns.Msg) bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.before = f
}

func (z *zone) ServeDNS(w dns.ResponseWriter, question *dns.Msg) {
	z.mu.Lock()
	z.asked = append(z.asked, w.LocalAddr().Network()+" "+dns.TypeToString[question.Question[0].Qtype]+" "+question.Question[0].Name)
	before := z.before
	z.mu.Unlock()
	if !before(w, question) {
		_ = w.WriteMsg(z.answer(question))
	}
}

func (z *zone) answer(question *dns.Msg) *dns.Msg {
	z.mu.Lock()
	defer z.mu.Unlock()
	answer := new(dns.Msg).SetReply(question)
	answer.Rcode = dns.RcodeNameError
	for _, rr := range z.rrs {
		if !strings.EqualFold(rr.Header().Name, question.Question[0].Name) {
			continue
		}
		answer.Rcode = dns.RcodeSuccess
		if kind := rr.Header().Rrtype; kind == question.Question[0].Qtype || kind == dns.TypeCNAME {
			answer.Answer = append(answer.Answer, rr)
		}
	}
	return answer
}

func (z *zone) count(text string) (count int) {
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, asked := range z.asked {
		if strings.Contains(asked, text) {
			count++
		}
	}
	return count
}

var exampleZone = []string{
	"example.com. 60 IN SOA ns.example.com. root.example.com. 1 60 60 60 60",
	"example.com. 60 IN NS ns.example.com.",
	"ns.example.com. 60 IN A 127.0.0.1",
}

func (z *zone) propagation() Propagation {
	return Propagation{Authoritative: true, Recursive: true, Resolvers: []string{z.address}, Port: z.port}
}

const fqdn = "_acme-challenge.example.com."

func run(t *testing.T, p Propagation, timeout time.Duration) error {
	t.Helper()
	return newCheck(p, fqdn, "value").run(context20s(t), timeout, 100*time.Millisecond)
}

func TestARecordThatIsThereIsSeenAtTheFirstLook(t *testing.T) {
	z := newZone(t, append(exampleZone, fqdn+` 60 IN TXT "other"`, fqdn+` 60 IN TXT "val" "ue"`)...)
	must(t, run(t, z.propagation(), time.Minute))
	if n := z.count("TXT " + fqdn); n != 2 { // one as the zone's server, one as resolver
		t.Error(n, z.asked)
	}
}

func TestALateRecordIsWaitedFor(t *testing.T) {
	z := newZone(t, exampleZone...)
	var looks atomic.Int32
	z.on(func(_ dns.ResponseWriter, question *dns.Msg) bool {
		if question.Question[0].Qtype == dns.TypeTXT && looks.Add(1) == 3 {
			z.add(t, fqdn+` 60 IN TXT "value"`)
		}
		return false
	})
	must(t, run(t, z.propagation(), time.Minute))
	if n := z.count("TXT " + fqdn); n != 4 {
		t.Error(n, z.asked)
	}
	if n := z.count("NS example.com."); n != 1 {
		t.Error("the zone was looked for again:", z.asked)
	}
}

func TestATimeoutTellsEachServersLastAnswer(t *testing.T) {
	// Two servers of one zone on two loopback addresses and one port.
	good := newZone(t, append(exampleZone, "example.com. 60 IN NS ns2.example.com.", "ns2.example.com. 60 IN A 127.0.0.2",
		fqdn+` 60 IN TXT "value"`)...)
	stale := &zone{before: func(dns.ResponseWriter, *dns.Msg) bool { return false }}
	stale.add(t, fqdn+` 60 IN TXT "yesterday"`)
	stale.listen(t, fmt.Sprintf("127.0.0.2:%d", good.port))

	err := run(t, good.propagation(), 200*time.Millisecond)
	var typed *fault.Error
	if !errors.As(err, &typed) || typed.Code != fault.PropagationTimeout {
		t.Fatal(err)
	}
	for _, part := range []string{
		fmt.Sprintf(`ns.example.com. (127.0.0.1:%d): TXT "value"`, good.port),
		fmt.Sprintf(`ns2.example.com. (127.0.0.2:%d): TXT "yesterday"`, good.port),
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %v", part, err)
		}
	}
	// As a resolver the good one would do.
	p := good.propagation()
	p.Authoritative = false
	must(t, run(t, p, time.Minute))
}

func TestATimeoutWithoutAZoneSaysWhatTheResolverSaid(t *testing.T) {
	z := newZone(t)
	z.on(func(w dns.ResponseWriter, question *dns.Msg) bool {
		_ = w.WriteMsg(new(dns.Msg).SetRcode(question, dns.RcodeServerFailure))
		return true
	})
	err := run(t, z.propagation(), 200*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "SERVFAIL") {
		t.Error(err)
	}
}

func TestAnAliasIsFollowedUnlessSwitchedOff(t *testing.T) {
	z := newZone(t, append(exampleZone,
		fqdn+" 60 IN CNAME target.other.test.",
		"other.test. 60 IN SOA ns.example.com. root.example.com. 1 60 60 60 60",
		"other.test. 60 IN NS ns.example.com.",
		`target.other.test. 60 IN TXT "value"`)...)
	must(t, run(t, z.propagation(), time.Minute))
	if z.count("NS other.test.") != 1 {
		t.Error(z.asked)
	}
	p := z.propagation()
	p.DisableCNAME = true
	if err := run(t, p, 200*time.Millisecond); err == nil || !strings.Contains(err.Error(), "CNAME target.other.test.") {
		t.Error(err)
	}
}

func TestATruncatedAnswerIsAskedForOverTCP(t *testing.T) {
	z := newZone(t, append(exampleZone, fqdn+` 60 IN TXT "value"`)...)
	z.on(func(w dns.ResponseWriter, question *dns.Msg) bool {
		if w.LocalAddr().Network() == "tcp" {
			return false
		}
		answer := new(dns.Msg).SetReply(question)
		answer.Truncated = true
		_ = w.WriteMsg(answer)
		return true
	})
	must(t, run(t, z.propagation(), time.Minute))
	if z.count("tcp TXT") != 2 {
		t.Error(z.asked)
	}
}

func TestOfAZoneWithThousandsOfServersAFewAreAsked(t *testing.T) {
	z := newZone(t, append(exampleZone, fqdn+` 60 IN TXT "value"`)...)
	for i := range 400 {
		z.add(t, fmt.Sprintf("example.com. 60 IN NS ns%d.example.com.", i/2), fmt.Sprintf("ns%d.example.com. 60 IN A 127.0.0.1", i/2))
	}
	z.on(func(w dns.ResponseWriter, question *dns.Msg) bool {
		if question.Question[0].Qtype != dns.TypeNS || w.LocalAddr().Network() != "udp" {
			return false
		}
		answer := new(dns.Msg).SetReply(question)
		answer.Truncated = true
		_ = w.WriteMsg(answer)
		return true
	})
	must(t, run(t, z.propagation(), time.Minute))
	for _, kind := range []string{"udp A ", "udp AAAA ", "udp TXT "} {
		if n := z.count(kind); n < 2 || n > 2*maxServers {
			t.Errorf("%s: asked %d times", kind, n)
		}
	}
}

func TestAnUnknownRefusalIsNamedByItsNumber(t *testing.T) {
	z := newZone(t, exampleZone...)
	z.on(func(w dns.ResponseWriter, question *dns.Msg) bool {
		if question.Question[0].Qtype != dns.TypeTXT {
			return false
		}
		_ = w.WriteMsg(new(dns.Msg).SetRcode(question, 12))
		return true
	})
	if err := run(t, z.propagation(), 200*time.Millisecond); !strings.Contains(err.Error(), "RCODE 12") {
		t.Error(err)
	}
}

func TestALostPacketIsSentAgain(t *testing.T) {
	z := newZone(t, append(exampleZone, fqdn+` 60 IN TXT "value"`)...)
	var lost atomic.Bool
	z.on(func(_ dns.ResponseWriter, question *dns.Msg) bool {
		return question.Question[0].Qtype == dns.TypeTXT && lost.CompareAndSwap(false, true)
	})
	must(t, run(t, z.propagation(), time.Minute))
}

func TestTheZoneIsTakenFromTheAuthoritySection(t *testing.T) {
	z := newZone(t, append(exampleZone, fqdn+` 60 IN TXT "value"`)...)
	z.on(func(w dns.ResponseWriter, question *dns.Msg) bool {
		if question.Question[0].Qtype != dns.TypeSOA {
			return false
		}
		answer := z.answer(question)
		if len(answer.Answer) == 0 {
			answer.Ns = append(answer.Ns, z.rrs[0])
		}
		_ = w.WriteMsg(answer)
		return true
	})
	must(t, run(t, z.propagation(), time.Minute))
	if n := z.count(" SOA "); n != 1 {
		t.Error(z.asked)
	}
}

func TestACancelledCheckReturnsAtOnce(t *testing.T) {
	z := newZone(t)
	asked := make(chan struct{}, 100)
	z.on(func(dns.ResponseWriter, *dns.Msg) bool { asked <- struct{}{}; return true }) // never answers
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- newCheck(z.propagation(), fqdn, "value").run(ctx, time.Minute, time.Second) }()
	<-asked
	start := time.Now()
	cancel()
	err := <-done
	var typed *fault.Error
	if !errors.As(err, &typed) || typed.Code != fault.Cancelled || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	// 50 ms on a quiet machine; without cancellation it is the query's second.
	if took := time.Since(start); took > 500*time.Millisecond {
		t.Error("it took", took)
	}
}

func TestAFixedWaitReplacesTheChecksAndCanBeCancelled(t *testing.T) {
	a := newAPI(t)
	config := a.config(t, "serial")
	config.Propagation = Propagation{Wait: time.Hour, Authoritative: true, Recursive: true, Resolvers: []string{"192.0.2.1"}}
	s := solver(t, config)
	answer := answerFor("example.com", "k")
	must(t, s.Present(context20s(t), answer))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	var typed *fault.Error
	if err := s.Wait(ctx, answer); !errors.As(err, &typed) || typed.Code != fault.DeadlineExceeded {
		t.Error(err)
	}
	must(t, s.CleanUp(context20s(t), answer))
}

func TestFromPresentToPropagationThroughAHost(t *testing.T) {
	a := newAPI(t)
	z := newZone(t, exampleZone...)
	z.on(func(_ dns.ResponseWriter, question *dns.Msg) bool {
		if question.Question[0].Qtype == dns.TypeTXT && z.count("TXT ") == 2 {
			for _, value := range a.txt(fqdn) {
				z.add(t, fmt.Sprintf("%s 60 IN TXT %q", fqdn, value))
			}
		}
		return false
	})
	config := a.config(t, "serial")
	config.Environment = config.Environment[:1] // with CNAMEs: the host asks our zone too
	config.Config.Resolvers = []string{z.address}
	config.Propagation = z.propagation()
	s := solver(t, config)
	answer := answerFor("example.com", "k")
	must(t, s.Present(context20s(t), answer))
	must(t, s.Wait(context20s(t), answer))
	must(t, s.CleanUp(context20s(t), answer))
	if z.count("CNAME "+fqdn) == 0 {
		t.Error("lego's look-up of CNAMEs did not use the order's resolver:", z.asked)
	}
}

func TestResolversGetTheirPort(t *testing.T) {
	got := newResolver([]string{"192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:5353"}).servers
	want := "192.0.2.1:53 192.0.2.1:5353 [2001:db8::1]:53 [2001:db8::1]:53 [2001:db8::1]:5353"
	if strings.Join(got, " ") != want {
		t.Error(got)
	}
}
