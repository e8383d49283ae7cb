package issuance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	legoacme "github.com/go-acme/lego/v5/acme"

	"pylego/engine/acme"
	"pylego/engine/fault"
	"pylego/engine/pki"
	"pylego/engine/report"
	"pylego/engine/testca"
)

func TestRejectedNoncesAreTriedAgain(t *testing.T) {
	t.Parallel()
	for _, percent := range []int{30, 90} {
		ca := startCA(t, testca.Config{})
		setFaults(t, ca, testca.Faults{NonceReject: percent})
		mustObtain(t, ca, inputFor(t, ca, "a.example", "b.example"))
	}
}

// kinds are the requests of an order, in turn.
var kinds = []string{"directory", "newNonce", "newAccount", "newOrder", "authorization", "challenge", "finalize", "order", "certificate"}

func TestADroppedConnectionIsResumedAtEachRequest(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			ca := startCA(t, testca.Config{})
			setFaults(t, ca, testca.Faults{Drop: 1, Path: kind})
			mustObtain(t, ca, inputFor(t, ca, "a.example"))
		})
	}
}

func TestALostAnswerIsResumedAtEachRequest(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			ca := startCA(t, testca.Config{})
			in := inputFor(t, ca, "a.example")
			startProxy(t, ca, &in, func(found string, count int, _ *http.Response) error {
				if found == kind && count == 1 {
					return errHangUp
				}
				return nil
			})
			mustObtain(t, ca, in)
		})
	}
}

func TestAServerErrorOnceIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, status := range []int{500, 503} {
		for _, kind := range kinds {
			t.Run(fmt.Sprint(status, kind), func(t *testing.T) {
				t.Parallel()
				ca := startCA(t, testca.Config{})
				setFaults(t, ca, testca.Faults{Status: status, StatusCount: 1, Path: kind})
				mustObtain(t, ca, inputFor(t, ca, "a.example"))
			})
		}
	}
}

func TestAServerErrorForEverEndsInItsOwnWords(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"directory", "newNonce", "newOrder", "finalize"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			ca := startCA(t, testca.Config{})
			setFaults(t, ca, testca.Faults{Status: 500, StatusCount: -1, Path: kind})
			_, _, err := obtain(t, inputFor(t, ca, "a.example"))
			var problem *acme.Problem
			if !errors.As(err, &problem) || problem.HTTPStatus != 500 {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestAShortRetryAfterIsKept(t *testing.T) {
	t.Parallel()
	for _, status := range []int{429, 503} {
		for _, kind := range kinds {
			t.Run(fmt.Sprint(status, kind), func(t *testing.T) {
				t.Parallel()
				ca := startCA(t, testca.Config{})
				setFaults(t, ca, testca.Faults{Status: status, StatusCount: 1, RetryAfter: "1", Path: kind})
				began := time.Now()
				mustObtain(t, ca, inputFor(t, ca, "a.example"))
				if took := time.Since(began); took < time.Second {
					t.Errorf("asked again after %v", took)
				}
			})
		}
	}
}

func TestALongRetryAfterIsTheCallers(t *testing.T) {
	t.Parallel()
	for _, status := range []int{429, 503} {
		for _, kind := range []string{"directory", "newNonce", "newAccount", "newOrder", "finalize"} {
			t.Run(fmt.Sprint(status, kind), func(t *testing.T) {
				t.Parallel()
				ca := startCA(t, testca.Config{})
				setFaults(t, ca, testca.Faults{Status: status, StatusCount: -1, RetryAfter: "3600", Path: kind})
				began := time.Now()
				_, _, err := obtain(t, apart(inputFor(t, ca, "a.example")))
				var problem *acme.Problem
				if !errors.As(err, &problem) || problem.HTTPStatus != status || problem.RetryAfter != time.Hour {
					t.Errorf("%v", err)
				}
				if took := time.Since(began); took > 20*time.Second {
					t.Errorf("waited %v", took)
				}
			})
		}
	}
}

func TestALostAccountIsRegisteredAgainOnce(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	in := inputFor(t, ca, "a.example")
	lost := 1
	p := startProxy(t, ca, &in, func(kind string, count int, answer *http.Response) error {
		if kind == "newOrder" && count <= lost {
			return refuse(answer, 400, "accountDoesNotExist", "no such account")
		}
		return nil
	})
	_, seen := mustObtain(t, ca, in)
	if seen.count(report.AccountRenewed) != 1 || p.count("newAccount") != 2 {
		t.Errorf("%v, registered %d times", seen.kinds(), p.count("newAccount"))
	}

	lost = 1000
	_, _, err := obtain(t, in)
	wantProblem(t, err, legoacme.AccountDoesNotExistErrorType)
	if p.count("newAccount") != 3 { // the first was still known here
		t.Errorf("registered %d times", p.count("newAccount"))
	}
}

func TestAnAccountOfARestartedCAIsRegisteredAgain(t *testing.T) {
	t.Parallel()
	first, second := startCA(t, testca.Config{}), startCA(t, testca.Config{})
	in := inputFor(t, first, "a.example")
	p := startProxy(t, first, &in, func(string, int, *http.Response) error { return nil })
	mustObtain(t, first, in)

	// The same address, another memory; its port for validations is another one too.
	other := inputFor(t, second, "a.example")
	q := startProxy(t, second, &other, func(string, int, *http.Response) error { return nil })
	p.CloseClientConnections()
	p.Config.Handler = q.Config.Handler
	in.Challenges = other.Challenges
	_, seen := mustObtain(t, second, in)
	if seen.count(report.AccountRenewed) != 1 {
		t.Errorf("%v", seen.kinds())
	}
}

func TestAnOrderReturnedLaterThanReadyIsTakenAsItIs(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"processing", "valid"} {
		ca := startCA(t, testca.Config{AuthzReuse: 100})
		in := inputFor(t, ca, "a.example")
		key, err := pki.GenerateKey("EC256")
		if err != nil {
			t.Fatal(err)
		}
		in.Key.PEM = pki.EncodeKey(key) // of both: with a new one the order of before is of no use
		mustObtain(t, ca, in)
		var p *proxy
		seen := &events{}
		url := ""
		p = startProxy(t, ca, &in, func(kind string, count int, answer *http.Response) error {
			if kind != "newOrder" || count < 2 {
				return nil
			}
			// The CA answers with the order of before, as section 7.4 lets it.
			answer.Header.Set("Location", url)
			return rewrite(answer, func(order map[string]any) { order["status"] = status })
		})
		_, first, err := obtain(t, in)
		if err != nil {
			t.Fatal(err)
		}
		url = first.detail(report.OrderCreated)
		if status == "valid" { // a valid order names its certificate at once
			certificate := first.detail(report.Issued)
			p.spoil = func(kind string, _ int, answer *http.Response) error {
				if kind != "newOrder" {
					return nil
				}
				answer.Header.Set("Location", url)
				return rewrite(answer, func(order map[string]any) { order["status"], order["certificate"] = status, certificate })
			}
		}
		if _, err := Obtain(t.Context(), in, seen.report); err != nil {
			t.Fatal(status, err)
		}
		if p.count("finalize") != 1 || seen.count(report.Finalized) != 0 {
			t.Errorf("%s: finalized %d times; %v", status, p.count("finalize"), seen.kinds())
		}
	}
}

func TestGarbageIsNoACMEObject(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"directory", "newOrder", "authorization", "order", "certificate"} {
		ca := startCA(t, testca.Config{})
		in := inputFor(t, ca, "a.example")
		startProxy(t, ca, &in, func(found string, _ int, answer *http.Response) error {
			if found == kind {
				return replace(answer, "garbage")
			}
			return nil
		})
		_, _, err := obtain(t, in)
		var known *fault.Error
		if !errors.As(err, &known) {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestARedirectedRequestIsNoSuccess(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"newAccount", "newOrder", "challenge", "finalize"} {
		ca := startCA(t, testca.Config{})
		in := inputFor(t, ca, "a.example")
		startProxy(t, ca, &in, func(found string, _ int, answer *http.Response) error {
			if found == kind {
				answer.StatusCode, answer.Status = 307, "307 Temporary Redirect"
				answer.Header.Set("Location", "https://127.0.0.1:1/elsewhere")
			}
			return nil
		})
		_, _, err := obtain(t, in)
		if err == nil || !strings.Contains(err.Error(), "307") {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestADeadlineEndsTheCall(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{ValidationSleep: 3600})
	ctx, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer stop()
	_, err := Obtain(ctx, inputFor(t, ca, "a.example"), report.Discard)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}
