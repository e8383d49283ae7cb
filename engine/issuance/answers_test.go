package issuance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"pylego/engine/acme"
	"pylego/engine/fault"
	"pylego/engine/report"
	"pylego/engine/testca"
)

// within runs an order with a deadline.
func within(t *testing.T, limit time.Duration, in ObtainInput) error {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), limit)
	defer stop()
	_, err := Obtain(ctx, in, report.Discard)
	return err
}

func TestAChainThatEndsTooSoonIsRefused(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	in := inputFor(t, ca, "a.example")
	cut := 0
	startProxy(t, ca, &in, func(kind string, _ int, answer *http.Response) error {
		if kind != "certificate" {
			return nil
		}
		body, err := io.ReadAll(answer.Body)
		if cut > 0 { // in the leaf, and after it
			body = body[:len(body)*cut/10]
		}
		answer.ContentLength = int64(len(body))
		answer.Header.Set("Content-Length", fmt.Sprint(len(body)))
		answer.Body = io.NopCloser(strings.NewReader(string(body)))
		return err
	})
	mustObtain(t, ca, in)
	for _, cut = range []int{3, 6, 9} {
		if _, _, err := obtain(t, in); fault.CodeOf(err, "") != fault.CertificateObtainFailed {
			t.Errorf("%d0 %% of the chain: %v", cut, err)
		}
	}
}

func TestACertificateOfAnotherKeyIsRefused(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	other, _ := mustObtain(t, ca, inputFor(t, ca, "b.example"))
	in := inputFor(t, ca, "a.example")
	startProxy(t, ca, &in, func(kind string, _ int, answer *http.Response) error {
		if kind != "certificate" {
			return nil
		}
		chain := other.Leaf + other.Chain
		answer.ContentLength = int64(len(chain))
		answer.Header.Set("Content-Length", fmt.Sprint(len(chain)))
		answer.Body = io.NopCloser(strings.NewReader(chain))
		return nil
	})
	_, reported, err := obtain(t, in)
	if fault.CodeOf(err, "") != fault.CertificateObtainFailed || !strings.Contains(err.Error(), "another key") {
		t.Errorf("%v", err)
	}
	if slices.Contains(reported.kinds(), report.Issued) {
		t.Error("it is told as issued")
	}
}

func TestAnAnswerThatIsOtherJSONIsTheServersFault(t *testing.T) {
	t.Parallel()
	for kind, wrong := range map[string]map[string]any{
		"newOrder": {}, "authorization": {}, "order": {}, "finalize": {"status": "valid"},
	} {
		ca := startCA(t, testca.Config{})
		in := inputFor(t, ca, "a.example")
		startProxy(t, ca, &in, func(found string, _ int, answer *http.Response) error {
			if found == kind {
				return replace(answer, wrong)
			}
			return nil
		})
		_, _, err := obtain(t, in)
		if fault.CodeOf(err, "") != fault.CertificateObtainFailed {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestAURLOfTheCAsThatCannotBeUsedIsNotTheCallersFault(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "http://127.0.0.1/finalize", "%"} {
		ca := startCA(t, testca.Config{})
		in := inputFor(t, ca, "a.example")
		startProxy(t, ca, &in, func(kind string, _ int, answer *http.Response) error {
			if kind == "newOrder" {
				return rewrite(answer, func(order map[string]any) { order["finalize"] = url })
			}
			return nil
		})
		_, _, err := obtain(t, in)
		if fault.CodeOf(err, "") != fault.CertificateObtainFailed {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestARetryAfterBeyondTheDeadlineIsToldAtOnce(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"directory", "newNonce", "newOrder", "authorization", "finalize"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			ca := startCA(t, testca.Config{})
			setFaults(t, ca, testca.Faults{Status: 429, StatusCount: -1, RetryAfter: "125", Path: kind})
			began := time.Now()
			err := within(t, 100*time.Second, apart(inputFor(t, ca, "a.example")))
			var problem *acme.Problem
			if !errors.As(err, &problem) || problem.HTTPStatus != 429 || problem.RetryAfter != 125*time.Second {
				t.Errorf("%v", err)
			}
			if took := time.Since(began); took > 50*time.Second { // not even in the clean-up
				t.Error(took)
			}
		})
	}
}

func TestANewNonceThatHangsHoldsUpItsOwnOrderOnly(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	in := inputFor(t, ca, "a.example")
	p := startProxy(t, ca, &in, func(kind string, count int, answer *http.Response) error {
		if kind == "newNonce" && count == 1 {
			<-answer.Request.Context().Done()
		}
		return nil
	})
	for p.count("newNonce") == 0 { // a busy machine may not come to it in time
		if err := within(t, 300*time.Millisecond, in); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("%v", err)
		}
	}
	if err := within(t, 60*time.Second, in); err != nil || p.count("newNonce") != 2 {
		t.Errorf("%v after %d newNonce", err, p.count("newNonce"))
	}
}

func TestADeadlineNamesWhoIsNotYetValidated(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{ValidationSleep: 3600})
	for limit := 300 * time.Millisecond; ; limit *= 4 { // a busy machine may not come to the names in time
		err := within(t, limit, inputFor(t, ca, "a.example", "b.example"))
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("%v", err)
		}
		if strings.Contains(err.Error(), "a.example, b.example") {
			return
		}
		if limit > 20*time.Second {
			t.Fatalf("%v", err)
		}
	}
}
