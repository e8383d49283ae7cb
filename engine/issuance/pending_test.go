package issuance

import (
	"net/http"
	"testing"
	"time"

	legoacme "github.com/go-acme/lego/v5/acme"

	"pylego/engine/report"
	"pylego/engine/testca"
)

// leavePending makes a CA of step-ca's kind: a challenge that failed stays
// pending, with its error, until it has been asked for so many times.
func leavePending(t *testing.T, ca *testca.Server, in *ObtainInput, asked int) *proxy {
	t.Helper()
	var p *proxy
	p = startProxy(t, ca, in, func(kind string, count int, answer *http.Response) error {
		switch {
		case kind == "challenge" && count > 1:
			answer.StatusCode = http.StatusOK
			return replace(answer, map[string]any{"status": "pending"})
		case kind == "authorization" && p.count("challenge") > 0 && p.count("challenge") <= asked:
			return rewrite(answer, func(authorization map[string]any) {
				authorization["status"] = "pending"
				for _, offered := range authorization["challenges"].([]any) {
					challenge := offered.(map[string]any)
					challenge["status"] = "pending"
					challenge["error"] = map[string]any{"type": legoacme.ConnectionErrorType, "detail": "cannot connect", "status": 400}
				}
			})
		}
		return nil
	})
	return p
}

func TestAChallengeLeftPendingIsAskedForAgain(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	in := inputFor(t, ca, "a.example")
	p := leavePending(t, ca, &in, 2)
	_, seen := mustObtain(t, ca, in)
	if p.count("challenge") != 3 || seen.count(report.Retrying) != 2 {
		t.Errorf("asked %d times; %v", p.count("challenge"), seen.kinds())
	}
}

func TestAChallengeLeftPendingFailsWithTheServersError(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	in := inputFor(t, ca, "a.example")
	p := leavePending(t, ca, &in, 1000)
	_, _, err := obtain(t, in)
	wantProblem(t, err, legoacme.ConnectionErrorType)
	if p.count("challenge") != 4 {
		t.Errorf("asked %d times", p.count("challenge"))
	}
	var sum time.Duration
	for _, wait := range slowRetrigger {
		sum += wait
	}
	if sum > 12*time.Second || len(slowRetrigger) != 3 {
		t.Errorf("a user waits %v", slowRetrigger)
	}
}

func TestATriggerThatIsTrulyMalformedFailsAtOnce(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{ValidationSleep: 3600})
	in := inputFor(t, ca, "a.example")
	startProxy(t, ca, &in, func(kind string, count int, answer *http.Response) error {
		switch {
		case kind == "challenge":
			return refuse(answer, 400, "malformed", "not like that")
		case kind == "authorization":
			return rewrite(answer, func(authorization map[string]any) {
				for _, offered := range authorization["challenges"].([]any) {
					offered.(map[string]any)["status"] = "pending"
				}
			})
		}
		return nil
	})
	began := time.Now()
	_, _, err := obtain(t, in)
	wantProblem(t, err, legoacme.MalformedErrorType)
	if took := time.Since(began); took > 20*time.Second {
		t.Error(took)
	}
}
