//go:build unix

package dnssolver

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"pylego/engine/acme"
	"pylego/engine/fault"
	"pylego/engine/system"
)

const persistName = "_validation-persist.example.com."

func persistAnswer(wildcard bool) acme.Answer {
	answer := answerFor("example.com", "k")
	answer.Issuers, answer.AccountURL, answer.Wildcard = "ca.example", "https://ca.example/acct/1", wildcard
	return answer
}

func TestWhichPersistentRecordsAllowAnAccount(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	one := acme.Answer{Issuers: "ca.example other.example", AccountURL: "https://ca.example/acct/1"}
	wildcard := one
	wildcard.Wildcard = true
	for _, c := range []struct {
		text          string
		one, wildcard bool
	}{
		{"ca.example; accounturi=https://ca.example/acct/1", true, false},
		{"other.example;accounturi=https://ca.example/acct/1;POLICY=Wildcard", true, true},
		{"ca.example; accounturi=https://ca.example/acct/1; persistUntil=1000001", true, false},
		{"ca.example; accounturi=https://ca.example/acct/1; persistUntil=999999", false, false},
		{"ca.example; accounturi=https://ca.example/acct/1; persistUntil=soon", false, false},
		{"ca.example; accounturi=https://ca.example/acct/2; policy=wildcard", false, false},
		{"nobody.example; accounturi=https://ca.example/acct/1", false, false},
		{"ca.example", false, false},
		{"", false, false},
	} {
		if allows(c.text, one, now) != c.one || allows(c.text, wildcard, now) != c.wildcard {
			t.Errorf("%q", c.text)
		}
	}
	for _, answer := range []acme.Answer{one, wildcard} {
		if !allows(NewPersist(PersistConfig{}).wanted(answer), answer, now) {
			t.Errorf("what is asked for does not do: %q", NewPersist(PersistConfig{}).wanted(answer))
		}
	}
}

func TestAPersistentRecordIsLookedForOnTheAuthoritativeServers(t *testing.T) {
	z := newZone(t, append(exampleZone, persistName+` 60 IN TXT "ca.example; accounturi=https://ca.example/acct/1"`)...)
	p := z.propagation()
	p.Recursive = false
	must(t, NewPersist(PersistConfig{Propagation: p}).Wait(context20s(t), persistAnswer(false)))
	if z.count("TXT "+persistName) != 1 || z.count("TXT "+persistName+" as a resolver") != 0 {
		t.Error(z.asked)
	}

	err := NewPersist(PersistConfig{Propagation: p}).Wait(context20s(t), persistAnswer(true))
	want := fmt.Sprintf(`create %s TXT "ca.example; accounturi=https://ca.example/acct/1; policy=wildcard"`, strings.TrimSuffix(persistName, "."))
	if fault.CodeOf(err, "") != fault.PropagationTimeout || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "ns.example.com. (127.0.0.1") {
		t.Error(err)
	}
}

func TestAnAliasOfAPersistentRecordIsFollowed(t *testing.T) {
	z := newZone(t, append(exampleZone,
		persistName+" 60 IN CNAME target.other.test.",
		"other.test. 60 IN SOA ns.example.com. root.example.com. 1 60 60 60 60",
		"other.test. 60 IN NS ns.example.com.",
		`target.other.test. 60 IN TXT "ca.example; accounturi=https://ca.example/acct/1"`)...)
	must(t, NewPersist(PersistConfig{Propagation: z.propagation()}).Wait(context20s(t), persistAnswer(false)))
}

// A name and its wildcard want different records at one name, at once: whoever comes
// second looks when the first's is there.
func TestAMissingPersistentRecordIsWrittenByOneAtATimeAndWaitedFor(t *testing.T) {
	z := newZone(t, exampleZone...)
	var looks sync.Map // of those who wait after they have written
	z.on(func(_ dns.ResponseWriter, question *dns.Msg) bool {
		if question.Question[0].Qtype == dns.TypeTXT {
			if text, late := looks.LoadAndDelete("late"); late {
				z.replace(t, fmt.Sprintf("%s 60 IN TXT %q", persistName, text)) // seen from the next look on
			}
		}
		return false
	})
	const several = 8
	var written []string // by one at a time
	config := PersistConfig{Propagation: z.propagation(), Until: 4_000_000_000, Set: func(ctx context.Context, _ acme.Answer, name, text string) error {
		for len(written) == 0 && writes.users("dns-persist-01 "+name) < several { // all the others are to come late
			if err := system.Sleep(ctx, time.Millisecond); err != nil {
				return err
			}
		}
		written = append(written, name+" "+text)
		looks.Store("late", text)
		return nil
	}}
	var orders sync.WaitGroup
	for i := range several {
		orders.Go(func() {
			if err := NewPersist(config).Wait(context20s(t), persistAnswer(i%2 == 0)); err != nil {
				t.Error(err)
			}
		})
	}
	orders.Wait()
	wide := "_validation-persist.example.com ca.example; accounturi=https://ca.example/acct/1; policy=wildcard; persistUntil=4000000000"
	if len(written) > 2 || written[len(written)-1] != wide {
		t.Error(written)
	}
}

// users counts those that are in a lane or in line for it.
func (l *lanes) users(key string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lanes[key] == nil {
		return 0
	}
	return l.lanes[key].users
}

func TestARecordIsVerifiedByItsText(t *testing.T) {
	z := newZone(t, append(exampleZone, fqdn+` 60 IN TXT "value"`)...)
	must(t, Verify(context20s(t), z.propagation(), fqdn, "value", 0))
	for _, within := range []time.Duration{0, 200 * time.Millisecond} {
		err := Verify(context20s(t), z.propagation(), fqdn, "other", within)
		if fault.CodeOf(err, "") != fault.PropagationTimeout || !strings.Contains(err.Error(), `said TXT "value"`) {
			t.Error(err)
		}
	}
}
