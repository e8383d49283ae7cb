//go:build unix

package dnssolver

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"pylego/engine/acme"
	"pylego/engine/fault"
)

// What a provider may do instead of its work, and what the error then says.
var misbehaviours = map[string]string{
	"hang":   "it does not return",
	"stop":   "it does not return",
	"panic":  "the provider panicked: something is wrong",
	"crash":  "its process ended with code 2; it last said \"panic: something is wrong\"",
	"garble": "its process was ended by signal: killed",
	"exit":   "its process ended with code 1",
	"kill":   "its process was ended by signal: killed",
	"print":  "", // it goes on
}

var moments = map[string]func(*misbehaving){
	"while it is made": (*misbehaving).whileMade,
	"at present":       (*misbehaving).atPresent,
	"while waiting":    (*misbehaving).whileWaiting,
	"at clean-up":      (*misbehaving).atCleanUp,
}

func TestAHostMayMisbehaveWheneverItLikes(t *testing.T) {
	t.Run("a host", func(t *testing.T) {
		for as := range misbehaviours {
			for moment, run := range moments {
				// One looks a record up to delete it, the other knows by heart where it is.
				for what, provider := range map[string]string{"looks up": "serial", "remembers": "cloudflare"} {
					t.Run(strings.Join([]string{what, moment, as}, " "), func(t *testing.T) {
						t.Parallel()
						a := newAPI(t)
						run(&misbehaving{t, a, a.config(t, provider), as, answerFor("example.com", "k")})
					})
				}
			}
		}
	})
	if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); !errors.Is(err, syscall.ECHILD) {
		t.Error("a process is left:", pid, err)
	}
}

func TestADeadlineEndsAHangingPresentAndSparesTheRecordOfAnotherOrder(t *testing.T) {
	a := newAPI(t)
	config := a.config(t, "cloudflare") // remembers its records
	hanging, other := solver(t, config), solver(t, config)
	must(t, other.Present(context20s(t), answerFor("other.example", "other")))
	a.set(nil, func(action, fqdn string) string {
		if action == "present" {
			return "misbehave: hang"
		}
		return ""
	})
	answer := answerFor("hanging.example", "hanging")
	m := &misbehaving{t, a, config, "hang", answer}
	m.mustSay("it does not return", hanging.Present(m.deadline(time.Second), answer))
	if a.pids[0] != a.pids[1] {
		t.Fatal("not in one host", a.pids)
	}
	m.mustContain(hanging.CleanUp(context20s(t), answer), append(a.txt("_acme-challenge.hanging.example."), "may be left")...)
	must(t, other.CleanUp(context20s(t), answerFor("other.example", "other")))
	if left := a.txt("_acme-challenge.other.example."); len(left) != 0 {
		t.Error(left)
	}
	m.mustContain(other.lease.End(), "signal: killed") // there is no record in it any more
}

func TestARecordOfWhichTheAnswerWasLostIsTakenAwayOrNamed(t *testing.T) {
	for _, provider := range []string{"serial", "cloudflare"} {
		a := newAPI(t)
		m := &misbehaving{t, a, a.config(t, provider), "lose the answer", answerFor("example.com", "k")}
		m.first("present", "lost: ")
		s := solver(t, m.config)
		if err := s.Present(context20s(t), m.answer); err == nil || a.left() != 1 {
			t.Fatal(err, a.calls)
		}
		m.mustCleanUp(s, false)
	}
}

// misbehaving is one provider that does.
type misbehaving struct {
	*testing.T
	api    *api
	config Config
	as     string
	answer acme.Answer
}

func (m *misbehaving) whileMade() {
	m.config.Environment = append(m.config.Environment, "MADE="+m.as)
	says := misbehaviours[m.as]
	if m.hangs() {
		says = "was still starting"
	}
	m.mustSay(says, solver(m.T, m.config).Prepare(m.deadline(4*time.Second))) // the host has to start in it
}

func (m *misbehaving) atPresent() {
	m.first("present", "misbehave: ")
	s := solver(m.T, m.config)
	must(m, s.Prepare(context20s(m.T)))
	m.mustSay(misbehaviours[m.as], s.Present(m.deadline(time.Second), m.answer))
	m.mustCleanUp(s, m.as == "print")
}

func (m *misbehaving) whileWaiting() {
	m.api.wait = make(chan struct{})
	m.first("present", "afterwards: ")
	s := solver(m.T, m.config)
	must(m, s.Present(context20s(m.T), m.answer))
	lives := false
	switch m.as {
	case "stop": // from here: one that stops itself may do so after the clean-up
		must(m, syscall.Kill(m.api.pids[0], syscall.SIGSTOP))
		_, err := syscall.Wait4(m.api.pids[0], nil, syscall.WUNTRACED, nil)
		must(m, err)
	case "hang", "print":
		lives = true
	}
	close(m.api.wait)
	if !lives && m.as != "stop" {
		if err := s.lease.End(); !strings.Contains(err.Error(), "its process ") {
			m.Error(err)
		}
	}
	m.mustCleanUp(s, lives)
}

func (m *misbehaving) atCleanUp() {
	m.first("cleanup", "misbehave: ")
	s := solver(m.T, m.config)
	must(m, s.Present(context20s(m.T), m.answer))
	m.mustCleanUp(s, m.as == "panic" || m.as == "print")
}

func (m *misbehaving) hangs() bool { return m.as == "hang" || m.as == "stop" }

// deadline is short where nothing else ends the call.
func (m *misbehaving) deadline(short time.Duration) context.Context {
	after := 20 * time.Second
	if m.hangs() {
		after = short
	}
	ctx, cancel := context.WithTimeout(m.Context(), after)
	m.Cleanup(cancel)
	return ctx
}

// first has the first call of its kind misbehave.
func (m *misbehaving) first(action, how string) {
	again := false
	m.api.set(nil, func(called, _ string) string {
		if called != action || again {
			return ""
		}
		again = true
		return how + m.as
	})
}

// mustSay wants an error that names the provider and says what it last said.
func (m *misbehaving) mustSay(says string, err error) {
	m.Helper()
	if misbehaviours[m.as] == "" {
		must(m, err)
		return
	}
	want := fault.DNSProviderFailed
	if m.hangs() {
		want = fault.DeadlineExceeded
	}
	var typed *fault.Error
	if !errors.As(err, &typed) || typed.Code != want {
		m.Fatalf("%T %v", err, err)
	}
	parts := []string{"DNS provider " + m.config.Provider, says}
	if m.as != "crash" { // what Go says then is worth more
		parts = append(parts, `it last said "about to: `+m.as+`"`)
	}
	m.mustContain(err, parts...)
}

// mustCleanUp wants no record left, or it named where only the host that wrote it
// could have found it again.
func (m *misbehaving) mustCleanUp(s *Solver, found bool) {
	m.Helper()
	ctx, cancel := context.WithTimeout(m.Context(), 20*time.Second)
	if m.hangs() && !found { // half of it passes
		ctx, cancel = context.WithTimeout(m.Context(), 4*time.Second)
	}
	defer cancel()
	err := s.CleanUp(ctx, m.answer)
	if found || !s.remembers() {
		if err != nil || m.api.left() != 0 {
			m.Error(err, m.api.calls)
		}
		return
	}
	if err == nil {
		m.Fatal("it says that it has cleaned up", m.api.calls)
	}
	values := m.api.txt("_acme-challenge.example.com.")
	m.mustContain(err, append(values, "_acme-challenge.example.com.", "may be left", "DNS provider cloudflare")...)
	if len(values) != 1 {
		m.Error(values)
	}
}

func (m *misbehaving) mustContain(err error, parts ...string) {
	m.Helper()
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			m.Errorf("%q is not in: %v", part, err)
		}
	}
}
