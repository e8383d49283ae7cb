package bridge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"testing"
	"time"

	legoacme "github.com/go-acme/lego/v5/acme"

	"pylego/engine/acme"
	"pylego/engine/fault"
	"pylego/engine/report"
)

func problem(kind string, status int) *acme.Problem {
	return &acme.Problem{ProblemDetails: legoacme.ProblemDetails{
		Type: "urn:ietf:params:acme:error:" + kind, HTTPStatus: status, Detail: "the server's words",
	}}
}

// timedOut is what net/http says of a server that does not answer. It calls
// itself a context.DeadlineExceeded, and is not the caller's.
func timedOut(t *testing.T) error {
	t.Helper()
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	_, err := (&http.Client{Timeout: 10 * time.Millisecond}).Get(server.URL)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	return err
}

func TestDescribeEachKindOfError(t *testing.T) {
	attempts := []fault.Attempt{{Challenge: "http-01", Detail: "no"}}
	for name, test := range map[string]struct {
		err       error
		kind      string
		code      string
		phase     string
		retryable bool
	}{
		"deadline":            {fmt.Errorf("far away: %w", context.DeadlineExceeded), "lego", "deadline_exceeded", "deadline", true},
		"cancelled":           {fault.Wrap(fault.ChallengeFailed, context.Canceled, "x"), "lego", "cancelled", "cancelled", true},
		"a fault":             {fault.New(fault.InvalidCSR, "bad"), "lego", "invalid_csr", "request", false},
		"a slow server":       {fault.Wrap(fault.NetworkError, timedOut(t), "cannot reach it"), "lego", "network_error", "network", true},
		"the network within":  {fault.Wrap(fault.CertificateObtainFailed, fault.New(fault.NetworkError, "x"), "y"), "lego", "network_error", "network", true},
		"an error of net":     {&net.OpError{Op: "dial", Err: errors.New("refused")}, "lego", "network_error", "network", true},
		"anything":            {errors.New("what"), "lego", "certificate_request_failed", "order", false},
		"an unknown code":     {fault.New("new_code", "x"), "lego", "new_code", "engine", false},
		"a problem":           {problem("malformed", 400), "acme", "malformed", "server", false},
		"rate limited":        {problem("rateLimited", 429), "acme", "rateLimited", "server", true},
		"a server's trouble":  {problem("", 503), "acme", "unknown", "server", true},
		"a failed validation": {&fault.Error{Code: fault.ChallengeFailed, Attempts: attempts, Err: problem("dns", 400)}, "acme", "dns", "challenge", true},
	} {
		data := Describe(test.err)
		if data.Type != test.kind || data.Code != test.code || data.Phase != test.phase || data.Retryable != test.retryable {
			t.Errorf("%s: %+v", name, data)
		}
		if data.Detail == "" {
			t.Errorf("%s: no detail", name)
		}
	}
}

// A page is what a proxy before the CA says, and every answer to newNonce, which
// is a HEAD: it has no problem document, and still a status.
func TestAPageIsRetryableByItsStatus(t *testing.T) {
	for status, retryable := range map[int]bool{302: false, 404: false, 429: true, 500: true, 503: true} {
		page := &acme.Problem{ProblemDetails: legoacme.ProblemDetails{HTTPStatus: status, Detail: "a page"}, Page: true, RetryAfter: time.Minute}
		for _, err := range []error{page, fault.Wrap(fault.LegoClientCreationFailed, page, "x"), fault.Wrap(fault.AccountRegistrationFailed, page, "x")} {
			data := Describe(err)
			if data.Retryable != retryable || data.RetryAfter != 60 || data.Type != "lego" {
				t.Errorf("%d: %+v", status, data)
			}
		}
	}
}

func TestADeadlineSaysWhatWasWaitedFor(t *testing.T) {
	waiting := fault.Interrupted(context.DeadlineExceeded, "the CA did not answer")
	if detail := Describe(waiting).Detail; detail != "the time allowed for the operation is over: the CA did not answer" {
		t.Error(detail)
	}
}

func TestWhatStaysBehindIsToldWithWhateverFailed(t *testing.T) {
	for _, err := range []error{problem("unauthorized", 403), context.Canceled, context.DeadlineExceeded, fault.New(fault.ChallengeFailed, "no"), errors.New("no")} {
		plain, leaving := Describe(err), Describe(&fault.Leaving{Err: err, Left: []string{"a record", "another"}})
		if leaving.Detail != plain.Detail+"; a record; another" {
			t.Error(leaving.Detail)
		}
		if leaving.Detail = plain.Detail; !reflect.DeepEqual(leaving, plain) {
			t.Errorf("%+v is not %+v", leaving, plain)
		}
	}
}

func TestAProblemTravelsWhole(t *testing.T) {
	p := problem("rateLimited", 429)
	p.RetryAfter = 90 * time.Second
	for _, name := range []string{"c.example", "a.example", "b.example"} {
		p.SubProblems = append(p.SubProblems, legoacme.SubProblem{
			Type: "urn:ietf:params:acme:error:caa", Detail: name, Identifier: legoacme.Identifier{Type: "dns", Value: name},
		})
	}
	data := Describe(fmt.Errorf("wrapped: %w", p))
	if data.Status != 429 || data.ACMEType != p.Type || data.Detail != p.Detail || data.RetryAfter != 90 {
		t.Errorf("%+v", data)
	}
	var order []string
	for _, sub := range data.Subproblems {
		order = append(order, sub.Type+" "+sub.Identifier.Value)
	}
	if !slices.Equal(order, []string{"caa a.example", "caa b.example", "caa c.example"}) {
		t.Errorf("%q", order)
	}
}

func TestTheContractListsEverything(t *testing.T) {
	contract, err := Operations.describe(t.Context(), struct{}{}, report.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for name := range Operations {
		if !slices.Contains(contract.Operations, name) {
			t.Errorf("%s is not listed", name)
		}
	}
	if !slices.Contains(contract.Operations, "contract") || !slices.Equal(contract.Messages, MessageTypes) ||
		!slices.Equal(contract.Events, report.Kinds) || !slices.Equal(contract.Errors, fault.Table) {
		t.Errorf("%+v", contract)
	}
}
