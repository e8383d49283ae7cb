//go:build unix

package dnssolver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pylego/engine/fault"
	"pylego/engine/providerhost"
	"pylego/engine/report"
)

func TestARecordIsPresentedAndCleanedUp(t *testing.T) {
	a := newAPI(t)
	s := solver(t, a.config(t, "serial"))
	must(t, s.Prepare(context20s(t)))
	if sequential, _ := s.Sequential(); sequential || s.Type() != "dns-01" {
		t.Error("wrong kind of provider")
	}
	answer := answerFor("example.com", "k")
	must(t, s.Present(context20s(t), answer))
	must(t, s.Wait(context20s(t), answer)) // nothing is to be checked
	if len(a.txt("_acme-challenge.example.com.")) != 1 {
		t.Error(a.records)
	}
	must(t, s.CleanUp(context20s(t), answer))
	must(t, s.CleanUp(context20s(t), answer)) // twice is once
	if a.left() != 0 || len(a.calls) != 2 {
		t.Error(a.calls)
	}
}

func TestCleanUpOfWhatWasNeverPresentedCallsNobody(t *testing.T) {
	a := newAPI(t)
	s := solver(t, a.config(t, "serial"))
	must(t, s.CleanUp(context20s(t), answerFor("example.com", "k")))
	if len(a.calls) != 0 {
		t.Error(a.calls)
	}
}

func TestApexAndWildcardOfOneTokenAreOneRecord(t *testing.T) {
	a := newAPI(t)
	config := a.config(t, "serial")
	var told []string
	config.Report = func(e report.Event) { told = append(told, string(e.Kind)+" "+e.Identifier) }
	s := solver(t, config)
	apex, wildcard := answerFor("example.com", "k"), answerFor("example.com", "k")
	wildcard.Wildcard = true
	must(t, s.Present(context20s(t), apex))
	must(t, s.Present(context20s(t), wildcard))
	if err := s.CleanUp(context20s(t), apex); !errors.Is(err, ErrLeft) {
		t.Error(err)
	}
	if len(a.txt("_acme-challenge.example.com.")) != 1 || len(told) != 0 {
		t.Error("the wildcard's record is gone", told)
	}
	must(t, s.CleanUp(context20s(t), wildcard))
	if !slices.Equal(told, []string{"cleaned_up example.com"}) { // of the wildcard tells who called
		t.Error(told)
	}
	if got := strings.Join(a.calls, ", "); got != "present _acme-challenge.example.com., cleanup _acme-challenge.example.com." {
		t.Error(got)
	}
}

// present runs one order per name at once, all with the same credentials.
func present(t *testing.T, config Config, names ...string) {
	t.Helper()
	var orders sync.WaitGroup
	for i, name := range names {
		s := solver(t, config)
		orders.Go(func() {
			answer := answerFor(name, fmt.Sprint("k", i))
			if err := s.Present(context20s(t), answer); err != nil {
				t.Error(err)
			}
			if err := s.CleanUp(context20s(t), answer); err != nil {
				t.Error(err)
			}
		})
	}
	orders.Wait()
}

func TestAProviderChangesOneRecordAtATimeAcrossOrders(t *testing.T) {
	a := newAPI(t)
	present(t, a.config(t, "serial"), "a.example", "b.example", "c.example", "d.example", "a.example", "b.example")
	if a.most != 1 || a.left() != 0 || len(a.calls) != 12 {
		t.Error(a.most, a.calls)
	}
}

func TestAParallelSafeProviderRunsInParallelButNotAtOneName(t *testing.T) {
	a := newAPI(t)
	both := make(chan struct{})
	var mu sync.Mutex
	running := map[string]int{}
	a.set(func(action, fqdn string, now int) {
		mu.Lock()
		running[fqdn]++
		if running[fqdn] > 1 {
			t.Error("two calls at once at", fqdn)
		}
		mu.Unlock()
		if action == "present" {
			if now == 2 {
				close(both)
			}
			<-both // only two at once get further
		}
		mu.Lock()
		running[fqdn]--
		mu.Unlock()
	}, nil)
	present(t, a.config(t, "httpreq"), "a.example", "b.example")
	a.set(func(_, fqdn string, _ int) {
		mu.Lock()
		defer mu.Unlock()
		if running[fqdn]++; running[fqdn] > 1 {
			t.Error("two calls at once at", fqdn)
		}
		running[fqdn]--
	}, nil)
	present(t, a.config(t, "httpreq"), "a.example", "a.example", "A.example", "a.example")
	if a.left() != 0 {
		t.Error(a.records)
	}
}

func TestWaitingInLineIsReportedAndCancellable(t *testing.T) {
	a := newAPI(t)
	inside, leave := make(chan struct{}), make(chan struct{})
	a.set(func(action, fqdn string, _ int) {
		if strings.Contains(fqdn, "first") && action == "present" {
			close(inside)
			<-leave
		}
	}, nil)
	config := a.config(t, "serial")
	first := solver(t, config)
	done := make(chan error, 1)
	go func() { done <- first.Present(context20s(t), answerFor("first.example", "k")) }()
	<-inside

	ctx, cancel := context.WithCancel(t.Context())
	var events []report.Event
	config.Report = func(e report.Event) { events = append(events, e); cancel() }
	second := solver(t, config)
	err := second.Present(ctx, answerFor("second.example", "k"))
	var typed *fault.Error
	if !errors.As(err, &typed) || typed.Code != fault.Cancelled || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if len(events) != 1 || events[0].Kind != report.Waiting || events[0].Identifier != "second.example" {
		t.Errorf("%+v", events)
	}
	must(t, second.CleanUp(context20s(t), answerFor("second.example", "k")))
	close(leave)
	must(t, <-done)
	must(t, first.CleanUp(context20s(t), answerFor("first.example", "k")))
	if slices.ContainsFunc(a.calls, func(call string) bool { return strings.Contains(call, "second") }) {
		t.Error(a.calls)
	}
}

func TestSequentialProvidersTakeTurnsWithAPauseBetween(t *testing.T) {
	a := newAPI(t)
	config := a.config(t, "onetxt", "PAUSE=300ms")
	var mu sync.Mutex
	inside, waits := 0, 0
	var left time.Time
	config.Report = func(e report.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Kind == report.Waiting {
			waits++
		}
	}
	var orders sync.WaitGroup
	for i := range 3 {
		s := solver(t, config)
		orders.Go(func() {
			release, err := s.Turn(context20s(t))
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			if inside++; inside > 1 {
				t.Error("two in one turn")
			}
			if pause := time.Since(left); pause < 300*time.Millisecond {
				t.Error("a pause of", pause)
			}
			mu.Unlock()
			answer := answerFor("example.com", fmt.Sprint(i))
			if err := errors.Join(s.Present(context20s(t), answer), s.CleanUp(context20s(t), answer)); err != nil {
				t.Error(err)
			}
			mu.Lock()
			inside--
			left = time.Now()
			mu.Unlock()
			release()
			release() // twice is once
		})
	}
	orders.Wait()
	if waits == 0 || len(a.calls) != 6 {
		t.Error(waits, a.calls)
	}

	// The rest after the last one keeps only who comes next, and counts against its deadline.
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := solver(t, config).Turn(ctx); err == nil {
		t.Error("no pause")
	}
}

func TestTurnsOfOtherProvidersAreFree(t *testing.T) {
	config := newAPI(t).config(t, "serial")
	for range 3 {
		if _, err := solver(t, config).Turn(context20s(t)); err != nil {
			t.Fatal(err)
		}
	}
}

// An API goes on with a request that its client has given up.
func TestACancelledPresentIsHeardToItsEndBeforeItsCleanUp(t *testing.T) {
	a := newAPI(t)
	ctx, cancel := context.WithCancel(t.Context())
	cleaning := make(chan struct{})
	a.set(func(action, _ string, _ int) {
		if action == "cleanup" {
			close(cleaning)
			return
		}
		cancel()
		select {
		case <-cleaning:
		case <-time.After(300 * time.Millisecond): // it is not cleaned up before it is written
		}
	}, nil)
	config := a.config(t, "serial")
	config.Grace = 10 * time.Second
	s := solver(t, config)
	answer := answerFor("example.com", "k")
	if err := s.Present(ctx, answer); err != nil {
		t.Error(err)
	}
	must(t, s.CleanUp(context20s(t), answer))
	if a.left() != 0 || !slices.Equal(a.calls, []string{"present _acme-challenge.example.com.", "cleanup _acme-challenge.example.com."}) {
		t.Error(a.calls, a.left())
	}
}

func TestACancelledPresentThatHangsIsCleanedUpInANewHost(t *testing.T) {
	a := newAPI(t)
	ctx, cancel := context.WithCancel(t.Context())
	a.hangs = cancel
	a.set(nil, func(action, _ string) string {
		if action == "present" {
			return "misbehave: hang"
		}
		return ""
	})
	s := solver(t, a.config(t, "serial"))
	answer := answerFor("example.com", "k")
	if err := s.Present(ctx, answer); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	must(t, s.CleanUp(context20s(t), answer))
	if a.left() != 0 || a.pids[0] == a.pids[1] {
		t.Error(a.calls, a.pids)
	}
}

func TestAHostThatDiesAtCleanUpIsReplaced(t *testing.T) {
	a := newAPI(t)
	exits := 1
	a.set(nil, func(action, _ string) string {
		if action == "cleanup" && exits > 0 {
			exits--
			return "misbehave: exit"
		}
		return ""
	})
	s := solver(t, a.config(t, "serial"))
	answer := answerFor("example.com", "k")
	must(t, s.Present(context20s(t), answer))
	must(t, s.CleanUp(context20s(t), answer))
	if a.left() != 0 || len(a.calls) != 3 {
		t.Error(a.calls)
	}
}

func TestAFailedCleanUpIsTriedAgainAndNamesTheRecord(t *testing.T) {
	a := newAPI(t)
	a.set(nil, func(action, _ string) string {
		if action == "cleanup" {
			return "the API is down"
		}
		return ""
	})
	s := solver(t, a.config(t, "serial"))
	answer := answerFor("example.com", "k")
	must(t, s.Present(context20s(t), answer))
	value := a.txt("_acme-challenge.example.com.")[0]
	err := s.CleanUp(context20s(t), answer)
	var typed *fault.Error
	if !errors.As(err, &typed) || typed.Code != fault.DNSProviderFailed {
		t.Fatal(err)
	}
	for _, part := range []string{"_acme-challenge.example.com.", value, "may be left", "the API is down"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %v", part, err)
		}
	}
	if len(a.calls) != 3 {
		t.Error(a.calls)
	}
}

func TestARefusedRecordIsNoFailureOfCleanUp(t *testing.T) {
	a := newAPI(t)
	a.set(nil, func(string, string) string { return "no such zone" })
	s := solver(t, a.config(t, "serial"))
	answer := answerFor("example.com", "k")
	err := s.Present(context20s(t), answer)
	var typed *fault.Error
	if !errors.As(err, &typed) || typed.Code != fault.DNSProviderFailed || !strings.Contains(err.Error(), "no such zone") {
		t.Fatal(err)
	}
	must(t, s.CleanUp(context20s(t), answer))
}

func TestSolversOfOneOrderGetTheirHostsAtOnce(t *testing.T) {
	a := newAPI(t)
	config := a.config(t, "serial")
	other := config
	other.Provider = "httpreq"
	one, two := solver(t, config), solver(t, other)
	must(t, PrepareAll(context20s(t), one, two))
	must(t, PrepareAll(context20s(t), one, two))
	bad := config
	bad.Provider = "manual"
	if err := PrepareAll(context20s(t), one, solver(t, bad)); err == nil || !strings.Contains(err.Error(), "pylego lego run") {
		t.Error(err)
	}
}

func TestLanesAreForgotten(t *testing.T) {
	l := newLanes()
	for i := range 100 {
		ln, err := l.enter(t.Context(), fmt.Sprint(i), func(time.Duration) {})
		must(t, err)
		ln.leave(0)
	}
	if len(l.lanes) > 1 {
		t.Error(len(l.lanes), "lanes")
	}
}

func TestTheLastOneAtANameClearsItWhereTheProviderClearsNames(t *testing.T) {
	a := newAPI(t)
	config := a.config(t, "vultr")
	var told []string
	config.Report = func(e report.Event) { told = append(told, string(e.Kind)+" "+e.Identifier) }
	late, soon := solver(t, config), solver(t, config)
	lates, soons := answerFor("a.example", "late"), answerFor("A.example", "soon")
	for _, apiIsDown := range []bool{false, true} {
		told, a.calls = nil, nil
		a.set(nil, func(string, string) string { return "" })
		must(t, late.Present(context20s(t), lates))
		must(t, soon.Present(context20s(t), soons))
		if err := soon.CleanUp(context20s(t), soons); !errors.Is(err, ErrLeft) {
			t.Error(err)
		}
		if len(a.calls) != 2 || len(told) != 0 {
			t.Error("the other's record is gone:", a.calls, told)
		}
		must(t, soon.CleanUp(context20s(t), soons)) // twice is once
		if !apiIsDown {
			must(t, late.CleanUp(context20s(t), lates))
			if !slices.Equal(told, []string{"cleaned_up A.example"}) || len(a.calls) != 3 {
				t.Error(told, a.calls)
			}
			continue
		}
		a.set(nil, func(string, string) string { return "the API is down" })
		err := late.CleanUp(context20s(t), lates)
		for _, value := range append(a.txt("_acme-challenge.a.example."), a.txt("_acme-challenge.A.example.")...) {
			if err == nil || !strings.Contains(err.Error(), value) {
				t.Errorf("%q is not in %v", value, err)
			}
		}
		if len(a.calls) != 4 || len(told) != 0 {
			t.Error(a.calls, told)
		}
	}
	if len(clearedAsOne.crowds) != 0 {
		t.Error(clearedAsOne.crowds)
	}
}

func TestWhichOrdersHaveTheSameCredentials(t *testing.T) {
	config := func(provider, setting string) providerhost.Config {
		return providerhost.Config{Provider: provider, Environment: []string{"PDNS_API_KEY=k", "RFC2136_NAMESERVER=ns", "RANDOM=1", setting}}
	}
	for _, test := range []struct {
		provider, other, setting string
		same                     bool
	}{
		{"pdns", "pdns", "PDNS_TTL=60", true},
		{"pdns", "pdns", "PDNS_PROPAGATION_TIMEOUT=60", true},
		{"pdns", "pdns", "REQUEST=7", true},
		{"pdns", "pdns", "PDNS_API_URL=http://other", false},
		{"rfc2136", "dnsupdate", "PDNS_API_URL=http://other", true},
		{"pdns", "rfc2136", "RANDOM=1", false},
		{"exec", "exec", "REQUEST=7", false}, // its program may read it
		{"not lego's", "not lego's", "REQUEST=7", false},
	} {
		one, other := config(test.provider, "RANDOM=1"), config(test.other, test.setting)
		if same := credentials(one) == credentials(other); same != test.same {
			t.Errorf("%+v: %v", test, same)
		}
	}
}
