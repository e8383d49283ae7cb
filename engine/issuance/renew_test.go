package issuance

import (
	"net/http"
	"slices"
	"sync/atomic"
	"testing"

	"pylego/engine/report"
	"pylego/engine/testca"
)

// replacing watches what orders are said to replace, and refuses the first that
// replaces something with a problem, if one is given.
func replacing(t *testing.T, ca *testca.Server, in *ObtainInput, status int, problem string) *[]bool {
	t.Helper()
	told := &[]bool{}
	startProxy(t, ca, in, func(kind string, _ int, answer *http.Response) error {
		if kind != "newOrder" || answer.StatusCode != http.StatusCreated {
			return nil
		}
		replaces := false
		if err := rewrite(answer, func(order map[string]any) { _, replaces = order["replaces"] }); err != nil {
			return err
		}
		*told = append(*told, replaces)
		if problem == "" || !replaces {
			return nil
		}
		return refuse(answer, status, problem, "it cannot be replaced")
	})
	return told
}

func TestARenewalIsMadeWithoutReplacesWhereTheCAWillNotHearOfIt(t *testing.T) {
	t.Parallel()
	for problem, status := range map[string]int{
		"alreadyReplaced": http.StatusConflict, "orderConflict": http.StatusConflict, "malformed": http.StatusBadRequest,
	} {
		ca := startCA(t, testca.Config{})
		in := inputFor(t, ca, "a.example")
		old, _ := mustObtain(t, ca, in)
		in.Identifiers = nil
		told := replacing(t, ca, &in, status, problem)
		seen := &events{}
		renewed, err := Renew(t.Context(), RenewInput{ObtainInput: in, Certificate: old.Leaf}, seen.report)
		if err != nil {
			t.Fatalf("%s: %v", problem, err)
		}
		if renewed.Serial == old.Serial || !slices.Equal(*told, []bool{true, false}) || seen.count(report.Retrying) != 1 {
			t.Errorf("%s: %v, %v", problem, *told, seen.kinds())
		}
	}
}

func TestARenewalThatIsRefusedForAnotherReasonIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	in := inputFor(t, ca, "a.example")
	old, _ := mustObtain(t, ca, in)
	in.Identifiers = nil
	told := replacing(t, ca, &in, http.StatusBadRequest, "rejectedIdentifier")
	seen := &events{}
	_, err := Renew(t.Context(), RenewInput{ObtainInput: in, Certificate: old.Leaf}, seen.report)
	wantProblem(t, err, "urn:ietf:params:acme:error:rejectedIdentifier")
	if len(*told) != 1 || seen.count(report.Retrying) != 0 {
		t.Errorf("%v, %v", *told, seen.kinds())
	}
}

// RFC 9773 section 5: such a CA may not know the field.
func TestACAWithoutRenewalInformationIsNotToldWhatIsReplaced(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	in := inputFor(t, ca, "a.example")
	old, _ := mustObtain(t, ca, in)
	var told []bool
	startProxy(t, ca, &in, func(kind string, _ int, answer *http.Response) error {
		switch {
		case kind == "directory":
			return rewrite(answer, func(directory map[string]any) { delete(directory, "renewalInfo") })
		case kind == "newOrder" && answer.StatusCode == http.StatusCreated:
			return rewrite(answer, func(order map[string]any) {
				_, replaces := order["replaces"]
				told = append(told, replaces)
			})
		}
		return nil
	})
	in.Replaces = old.Leaf
	if _, err := Obtain(t.Context(), in, report.Discard); err != nil {
		t.Error(err)
	}
	in.Identifiers = nil
	if _, err := Renew(t.Context(), RenewInput{ObtainInput: in, Certificate: old.Leaf}, report.Discard); err != nil {
		t.Error(err)
	}
	if !slices.Equal(told, []bool{false, false}) {
		t.Errorf("%v", told)
	}
}

// A CA may refuse to deactivate what is over (RFC 8555 section 7.1.6); Pebble does not.
func TestOneAuthorizationThatIsOverDoesNotKeepTheOthersFromBeingGivenUp(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	in := inputFor(t, ca, "a.example", "b.example", "c.example")
	var refused atomic.Bool // authorizations are given up at once
	startProxy(t, ca, &in, func(kind string, _ int, answer *http.Response) error {
		if kind != "authorization" {
			return nil
		}
		deactivated := false
		if err := rewrite(answer, func(authorization map[string]any) { deactivated = authorization["status"] == "deactivated" }); err != nil || !deactivated || !refused.CompareAndSwap(false, true) {
			return err
		}
		return refuse(answer, http.StatusBadRequest, "malformed", "it is over")
	})
	certificate, err := Obtain(t.Context(), in, report.Discard)
	if err != nil {
		t.Fatal(err)
	}
	result, err := DeactivateAuthorizations(t.Context(), DeactivateInput{Access: in.Access, Order: certificate.OrderURL}, report.Discard)
	if err != nil || result.Count != 3 || !refused.Load() || ca.Authorizations()["deactivated"] != 3 {
		t.Errorf("%+v, %v, %t, %v", result, err, refused.Load(), ca.Authorizations())
	}
}
