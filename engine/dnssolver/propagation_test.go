//go:build unix

package dnssolver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
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
	packets, streams := listenBoth(t, address)
	z.address, z.port = packets.LocalAddr().String(), packets.LocalAddr().(*net.UDPAddr).Port
	for _, server := range []*dns.Server{{PacketConn: packets, Handler: z}, {Listener: streams, Handler: z}} {
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		go server.ActivateAndServe()
		<-started
		t.Cleanup(func() { _ = server.Shutdown() })
	}
}

// listenBoth tries a few times: the port that is free for UDP may be taken for TCP.
func listenBoth(t testing.TB, address string) (net.PacketConn, net.Listener) {
	t.Helper()
	for try := 0; ; try++ {
		packets, err := net.ListenPacket("udp", address)
		if err != nil {
			t.Fatal(err)
		}
		streams, err := net.Listen("tcp", packets.LocalAddr().String())
		if err == nil {
			return packets, streams
		}
		packets.Close()
		if try == 100 {
			t.Fatal(err)
		}
	}
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

// replace has the name of a record have this one alone.
func (z *zone) replace(t *testing.T, text string) {
	t.Helper()
	rr, err := dns.NewRR(text)
	must(t, err)
	z.mu.Lock()
	defer z.mu.Unlock()
	z.rrs = append(slices.DeleteFunc(z.rrs, func(old dns.RR) bool { return old.Header().Name == rr.Header().Name }), rr)
}

// on has f see each question first.
func (z *zone) on(f func(w dns.ResponseWriter, question *dns.Msg) bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.before = f
}

func (z *zone) ServeDNS(w dns.ResponseWriter, question *dns.Msg) {
	z.mu.Lock()
	asked := w.LocalAddr().Network() + " " + dns.TypeToString[question.Question[0].Qtype] + " " + question.Question[0].Name
	if question.RecursionDesired {
		asked += " as a resolver"
	}
	z.asked = append(z.asked, asked)
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
	must(t, newCheck(z.propagation(), fqdn, "value").run(context20s(t), time.Hour, time.Hour))
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

func TestPausesGrowToTheProvidersInterval(t *testing.T) {
	for interval, want := range map[time.Duration]string{
		0:                      "[50ms 50ms 50ms 50ms]",
		75 * time.Millisecond:  "[50ms 75ms 75ms 75ms]",
		300 * time.Millisecond: "[50ms 100ms 200ms 300ms]",
		time.Hour:              "[50ms 100ms 200ms 400ms]",
	} {
		got := []time.Duration{firstPause}
		for len(got) < 4 {
			got = append(got, longer(got[len(got)-1], interval))
		}
		if fmt.Sprint(got) != want {
			t.Errorf("up to %v: %v", interval, got)
		}
	}
}

// Each answers when all have been asked: one after the other, the first would have to be asked again.
func TestAllServersAreAskedAtOnce(t *testing.T) {
	first := newZone(t, append(exampleZone, "example.com. 60 IN NS ns2.example.com.", "ns2.example.com. 60 IN A 127.0.0.2", fqdn+` 60 IN TXT "value"`)...)
	second := &zone{rrs: first.rrs}
	second.on(first.before)
	second.listen(t, fmt.Sprintf("127.0.0.2:%d", first.port))
	for name, p := range map[string]Propagation{
		"of the zone": {Authoritative: true, Resolvers: []string{first.address}, Port: first.port},
		"resolvers":   {Recursive: true, Resolvers: []string{first.address, second.address}},
	} {
		var asked sync.Map // by address: a question that waits long is put again
		var both sync.WaitGroup
		both.Add(2)
		together := func(w dns.ResponseWriter, question *dns.Msg) bool {
			if question.Question[0].Qtype == dns.TypeTXT {
				if _, again := asked.LoadOrStore(w.LocalAddr().String(), true); !again {
					both.Done()
				}
				both.Wait()
			}
			return false
		}
		first.on(together)
		second.on(together)
		before := first.count("TXT") + second.count("TXT")
		if err := run(t, p, time.Minute); err != nil || first.count("TXT")+second.count("TXT") != before+2 {
			t.Error(name, err, first.asked, second.asked)
		}
	}
}

func TestTheChecksAreSwitchedOneByOne(t *testing.T) {
	for _, on := range []Propagation{{}, {Authoritative: true}, {Recursive: true}, {Authoritative: true, Recursive: true}} {
		z := newZone(t, append(exampleZone, fqdn+` 60 IN TXT "value"`)...)
		p := z.propagation()
		p.Authoritative, p.Recursive = on.Authoritative, on.Recursive
		must(t, run(t, p, time.Minute))
		text := "TXT " + fqdn
		resolver := z.count(text + " as a resolver")
		if server := z.count(text) - resolver; (server == 1) != on.Authoritative || (resolver == 1) != on.Recursive {
			t.Errorf("%+v: %q", on, z.asked)
		}
	}
}

// A resolver that is asked too early remembers that there is nothing.
func TestNoResolverIsAskedForARecordThatAServerLacks(t *testing.T) {
	z := newZone(t, exampleZone...)
	if err := run(t, z.propagation(), 200*time.Millisecond); fault.CodeOf(err, "") != fault.PropagationTimeout {
		t.Error(err)
	}
	if z.count("TXT "+fqdn+" as a resolver") != 0 {
		t.Error(z.asked)
	}
}

func TestTheProvidersTimeoutEndsTheWaitOrTheCallersDoes(t *testing.T) {
	z := newZone(t, append(exampleZone, fqdn+` 60 IN TXT "yesterday"`)...)
	for want, wait := range map[fault.Code]func() error{
		fault.PropagationTimeout: func() error {
			return newCheck(z.propagation(), fqdn, "value").run(context20s(t), time.Second, time.Hour)
		},
		fault.DeadlineExceeded: func() error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			return newCheck(z.propagation(), fqdn, "value").run(ctx, time.Hour, time.Hour)
		},
	} {
		if err := wait(); fault.CodeOf(err, "") != want || !strings.Contains(err.Error(), `said TXT "yesterday"`) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestAZoneIsFoundByItsParentsWhereNobodyAnswersForTheName(t *testing.T) {
	z := newZone(t, append(exampleZone, fqdn+` 60 IN TXT "value"`)...)
	z.on(func(w dns.ResponseWriter, question *dns.Msg) bool {
		if question.Question[0].Qtype != dns.TypeSOA || question.Question[0].Name != fqdn {
			return false
		}
		answer := new(dns.Msg).SetReply(question)
		answer.Truncated = true
		if w.LocalAddr().Network() == "tcp" {
			_ = w.Close() // at once, where a lost packet would cost its time
			return true
		}
		_ = w.WriteMsg(answer)
		return true
	})
	must(t, run(t, z.propagation(), time.Minute))
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
		fmt.Sprintf(`ns.example.com. (127.0.0.1:%d) said TXT "value"`, good.port),
		fmt.Sprintf(`ns2.example.com. (127.0.0.2:%d) said TXT "yesterday"`, good.port),
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %v", part, err)
		}
	}
	want := fault.Answer{Server: fmt.Sprintf("ns2.example.com. (127.0.0.2:%d)", good.port), Name: fqdn, Said: `TXT "yesterday"`}
	if len(typed.Answers) != 2 || typed.Answers[1] != want {
		t.Errorf("%+v", typed.Answers)
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

func TestATimeoutTellsWhetherTheNetworkFailed(t *testing.T) {
	answers := newZone(t, exampleZone...)
	nobody, listener := listenBoth(t, "127.0.0.1:0")
	nobody.Close()
	listener.Close()
	for resolver, want := range map[string]bool{answers.address: false, nobody.LocalAddr().String(): true} {
		for _, p := range []Propagation{{Recursive: true}, {Authoritative: true}} {
			p.Resolvers, p.Port = []string{resolver}, answers.port
			var typed *fault.Error
			if err := run(t, p, 200*time.Millisecond); !errors.As(err, &typed) || typed.Code != fault.PropagationTimeout || typed.Network != want {
				t.Errorf("%+v: %+v", p, err)
			}
		}
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

func TestWhereThereIsNoUDPNobodyIsAskedByIt(t *testing.T) {
	z := newZone(t, append(exampleZone, fqdn+` 60 IN TXT "value"`)...)
	p := z.propagation()
	p.TCPOnly = true
	must(t, run(t, p, time.Minute))
	if z.count("udp") != 0 || z.count("tcp TXT") != 2 {
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

// How long a wait goes on after its context is machine's work: the best of a few
// says what it takes where nothing else runs. A packet that is lost takes a second.
func TestEveryWaitEndsWithin50MillisecondsOfItsCancellation(t *testing.T) {
	const limit, tries = 50 * time.Millisecond, 10
	silent := newZone(t)
	asked := make(chan struct{}, 1)
	silent.on(func(dns.ResponseWriter, *dns.Msg) bool { asked <- struct{}{}; return true })
	overTCP := newZone(t)
	overTCP.on(func(w dns.ResponseWriter, question *dns.Msg) bool {
		if w.LocalAddr().Network() == "tcp" {
			asked <- struct{}{}
			return true
		}
		answer := new(dns.Msg).SetReply(question)
		answer.Truncated = true
		_ = w.WriteMsg(answer)
		return true
	})
	lacking := newZone(t, exampleZone...)
	lacking.on(func(_ dns.ResponseWriter, question *dns.Msg) bool {
		if question.Question[0].Qtype == dns.TypeTXT {
			select {
			case asked <- struct{}{}:
			default:
			}
		}
		return false
	})
	busy, err := writes.enter(t.Context(), "busy", nil)
	must(t, err)
	defer busy.leave(0)
	fixed := New(Config{Propagation: Propagation{Wait: time.Hour}})

	for name, wait := range map[string]func(context.Context) error{
		"a query": func(ctx context.Context) error {
			return newCheck(silent.propagation(), fqdn, "value").run(ctx, time.Hour, time.Hour)
		},
		"a query over TCP": func(ctx context.Context) error {
			return newCheck(overTCP.propagation(), fqdn, "value").run(ctx, time.Hour, time.Hour)
		},
		"a pause between looks": func(ctx context.Context) error {
			return newCheck(lacking.propagation(), fqdn, "value").run(ctx, time.Hour, time.Hour)
		},
		"a fixed wait": func(ctx context.Context) error {
			asked <- struct{}{}
			return fixed.Wait(ctx, answerFor("example.com", "k"))
		},
		"a place in line": func(ctx context.Context) error {
			_, err := writes.enter(ctx, "busy", func(time.Duration) { asked <- struct{}{} })
			return err
		},
	} {
		best := time.Hour
		for range tries {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- wait(ctx) }()
			<-asked
			start := time.Now()
			cancel()
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", name, err)
			}
			best = min(best, time.Since(start))
			select { // a round's second question
			case <-asked:
			default:
			}
		}
		if best > limit {
			t.Errorf("%s went on for %v", name, best)
		}
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
	got := newResolver([]string{"192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:5353"}, false).servers
	want := "192.0.2.1:53 192.0.2.1:5353 [2001:db8::1]:53 [2001:db8::1]:53 [2001:db8::1]:5353"
	if strings.Join(got, " ") != want {
		t.Error(got)
	}
}
