//go:build unix

package dnssolver

import (
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"

	"pylego/engine/fuzzing"
)

// liar answers every question with the same bytes, under the question's number:
// any other would be passed over as an answer of before.
type liar struct {
	address string
	packet  atomic.Pointer[[]byte]
}

func newLiar(f *testing.F) *liar {
	f.Helper()
	packets, streams := listenBoth(f, "127.0.0.1:0")
	f.Cleanup(func() { packets.Close(); streams.Close() })
	l := &liar{address: packets.LocalAddr().String()}
	go l.answerPackets(packets)
	go l.answerStreams(streams)
	return l
}

func (l *liar) answer(question []byte) []byte {
	packet := slices.Clone(*l.packet.Load())
	copy(packet, question[:min(2, len(question))])
	return packet
}

func (l *liar) answerPackets(packets net.PacketConn) {
	question := make([]byte, 4096)
	for {
		n, from, err := packets.ReadFrom(question)
		if err != nil {
			return
		}
		_, _ = packets.WriteTo(l.answer(question[:n]), from)
	}
}

func (l *liar) answerStreams(streams net.Listener) {
	for {
		stream, err := streams.Accept()
		if err != nil {
			return
		}
		question := make([]byte, 4) // its length and its number
		if _, err := io.ReadFull(stream, question); err == nil {
			answer := l.answer(question[2:])
			_, _ = stream.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
		}
		stream.Close()
	}
}

// packet is an answer with records, as a server would send it.
func packet(f *testing.F, change func(*dns.Msg), records ...string) string {
	f.Helper()
	message := new(dns.Msg)
	message.SetQuestion("_acme-challenge.a.example.", dns.TypeTXT)
	message.Response = true
	for _, text := range records {
		record, err := dns.NewRR(text)
		if err != nil {
			f.Fatal(err)
		}
		message.Answer = append(message.Answer, record)
	}
	change(message)
	packed, err := message.Pack()
	if err != nil {
		f.Fatal(err)
	}
	return string(packed)
}

// Whatever a resolver answers, each look ends: with the record, with where to
// look next, or with words for the person who waits.
func FuzzAnswers(f *testing.F) {
	l := newLiar(f)
	r := newResolver([]string{l.address}, false)
	const name = "_acme-challenge.a.example."
	as := func(*dns.Msg) {}
	fuzzing.Run(f, func(t *testing.T, data []byte) {
		l.packet.Store(&data)
		servers, err := r.authoritative(t.Context(), name, 53)
		if err == nil && (len(servers) == 0 || len(servers) > maxServers) || err != nil && err.Error() == "" {
			t.Errorf("%v, %v", servers, err)
		}
		for _, s := range servers {
			if s.name == "" || len(s.addresses) == 0 || len(s.addresses) > 2*maxServers {
				t.Errorf("%+v", s)
			}
			for _, address := range s.addresses {
				if host, port, err := net.SplitHostPort(address); err != nil || port != "53" || net.ParseIP(host) == nil {
					t.Errorf("%q is no address: %v", address, err)
				}
			}
		}
		looks := r.askAll(t.Context(), name, func(text string) bool { return text == "value" })
		if len(looks) != 1 || looks[0].answer == "" && !looks[0].found {
			t.Errorf("%+v", looks)
		}
		c := newCheck(Propagation{}, name, "value")
		for range 2 * maxCNAMEs { // a circle of aliases is left
			c.follow(looks)
		}
		if c.cnames > maxCNAMEs {
			t.Errorf("followed %d", c.cnames)
		}
	},
		packet(f, as, `_acme-challenge.a.example. 60 IN TXT "value"`),
		packet(f, as, `_acme-challenge.a.example. 60 IN CNAME b.example.`, `b.example. 60 IN TXT "other" "parts"`),
		packet(f, as, "_acme-challenge.a.example. 60 IN SOA ns.a.example. root.a.example. 1 2 3 4 5", "a.example. 60 IN NS ns.a.example.", "ns.a.example. 60 IN A 127.0.0.1", "ns.a.example. 60 IN AAAA ::1"),
		packet(f, func(m *dns.Msg) { m.Truncated = true }),
		packet(f, func(m *dns.Msg) { m.Rcode = dns.RcodeServerFailure }),
		packet(f, func(m *dns.Msg) { m.Rcode = 12 }),
	)
}
