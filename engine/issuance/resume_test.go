package issuance

import (
	"context"
	"encoding/json"
	"net/http"
	"path"
	"strings"
	"testing"
	"time"

	legoacme "github.com/go-acme/lego/v5/acme"

	"pylego/engine/acme"
	"pylego/engine/fault"
	"pylego/engine/pki"
	"pylego/engine/question"
	"pylego/engine/report"
	"pylego/engine/testca"
)

// keyed is inputFor with a key of the caller's.
func keyed(t *testing.T, ca *testca.Server, names ...string) ObtainInput {
	t.Helper()
	in := inputFor(t, ca, names...)
	in.Key.PEM = newKey(t)
	return in
}

func newKey(t *testing.T) string {
	t.Helper()
	generated, err := GenerateKey(t.Context(), GenerateKeyInput{Type: "EC256"}, report.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return generated.Key
}

// keeping is a caller that keeps orders, or says why it could not.
func keeping(ctx context.Context, refusal string, kept func(url string)) context.Context {
	return question.With(ctx, func(_ context.Context, _ time.Duration, ask string, input any) (json.RawMessage, error) {
		if ask != "order" {
			return nil, fault.New(fault.EngineError, "asked about %q", ask)
		}
		kept(input.(keptOrder).Order)
		return json.Marshal(map[string]string{"error": refusal})
	})
}

// readyOrder is an order whose names are validated, and that nobody has finalized.
func readyOrder(t *testing.T, in ObtainInput) (url string) {
	t.Helper()
	in.KeepOrder = true
	ctx := keeping(t.Context(), "the disk is full", func(kept string) { url = kept })
	_, err := Obtain(ctx, in, report.Discard)
	if fault.CodeOf(err, "") != fault.OrderNotKept {
		t.Fatal(err)
	}
	return url
}

// pendingOrder is an order of which nothing is validated.
func pendingOrder(t *testing.T, in ObtainInput) (url string) {
	t.Helper()
	request, err := in.check()
	if err != nil {
		t.Fatal(err)
	}
	err = request.applicant.Run(t.Context(), report.Discard, func(owner *acme.Account) error {
		order, err := owner.NewOrder(t.Context(), request.order)
		if err == nil {
			url = order.URL
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return url
}

func TestAnOrderIsKeptBeforeItIsFinalized(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	in := keyed(t, ca, "a.example")
	in.KeepOrder = true
	var kept []string
	ctx := keeping(t.Context(), "", func(url string) {
		if asked := ca.Requests(); asked["finalize"] != 0 || asked["challenge"] != 1 {
			t.Errorf("%v", asked)
		}
		kept = append(kept, url)
	})
	certificate, err := Obtain(ctx, in, report.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if len(kept) != 1 || kept[0] != certificate.OrderURL {
		t.Errorf("%v, not %s", kept, certificate.OrderURL)
	}
}

func TestAnOrderThatCannotBeKeptIsNotFinalizedAndIsGoneOnWithWhenItIsReady(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	in := keyed(t, ca, "b.example", "a.example")
	in.Order = readyOrder(t, in)
	before := ca.Requests()
	if before["finalize"] != 0 {
		t.Errorf("%v", before)
	}
	certificate, seen := mustObtain(t, ca, in)
	after := ca.Requests()
	if certificate.OrderURL != in.Order || after["newOrder"] != 1 || after["challenge"] != before["challenge"] || after["finalize"] != 1 {
		t.Errorf("%s, not %s; %v, then %v", certificate.OrderURL, in.Order, before, after)
	}
	if seen.count(report.OrderResumed) != 1 || seen.count(report.OrderCreated) != 0 || seen.count(report.Presented) != 0 {
		t.Errorf("%v", seen.kinds())
	}
}

func TestAnOrderThatIsPendingIsGoneOnWithAsUsual(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	in := keyed(t, ca, "a.example")
	in.Order = pendingOrder(t, in)
	certificate, seen := mustObtain(t, ca, in)
	if asked := ca.Requests(); certificate.OrderURL != in.Order || asked["newOrder"] != 1 || seen.count(report.Validated) != 1 {
		t.Errorf("%s, not %s; %v, %v", certificate.OrderURL, in.Order, asked, seen.kinds())
	}
}

func TestACertificateThatWasIssuedMeanwhileIsDownloaded(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	in := keyed(t, ca, "a.example")
	first, _ := mustObtain(t, ca, in)
	in.Order = first.OrderURL
	second, _ := mustObtain(t, ca, in)
	if asked := ca.Requests(); second.Serial != first.Serial || second.PrivateKey != first.PrivateKey || asked["newOrder"] != 1 || asked["finalize"] != 1 {
		t.Errorf("%s, not %s; %v", second.Serial, first.Serial, asked)
	}
}

func TestARenewalGoesOnWithItsOrder(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	in := keyed(t, ca, "a.example")
	old, _ := mustObtain(t, ca, in)
	in.Identifiers, in.KeepOrder, in.Key.PEM = nil, true, newKey(t)
	var url string
	renewal := RenewInput{ObtainInput: in, Certificate: old.Leaf}
	if _, err := Renew(keeping(t.Context(), "the disk is full", func(kept string) { url = kept }), renewal, report.Discard); err == nil {
		t.Fatal("renewed")
	}
	renewal.Order, renewal.KeepOrder = url, false
	renewed, err := Renew(t.Context(), renewal, report.Discard)
	if err != nil || renewed.OrderURL != url || renewed.Serial == old.Serial {
		t.Errorf("%+v, %v", renewed, err)
	}
}

// An order that waits for the CA to sign when the process ends.
func TestAnOrderIsGoneOnWithAfterItWasFinalized(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	in := keyed(t, ca, "a.example")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	seen := &events{on: func(event report.Event) {
		if event.Kind == report.Finalized {
			stop()
		}
	}}
	if _, err := Obtain(ctx, in, seen.report); err == nil {
		t.Fatal("obtained")
	}
	in.Order = seen.detail(report.OrderCreated)
	certificate, _ := mustObtain(t, ca, in)
	if asked := ca.Requests(); certificate.OrderURL != in.Order || asked["finalize"] != 1 {
		t.Errorf("%s, not %s; %v", certificate.OrderURL, in.Order, asked)
	}
}

func TestANewOrderIsMadeWhereTheOldOneServesNoMore(t *testing.T) {
	t.Parallel()
	for what, spoil := range map[string]func(t *testing.T, ca *testca.Server, in *ObtainInput){
		"it is invalid": func(t *testing.T, ca *testca.Server, in *ObtainInput) {
			lost := *in
			lost.Challenges = []Challenge{tlsALPN01(ca)}
			lost.Challenges[0].Port++ // where the CA does not look
			_, seen, err := obtain(t, lost)
			if err == nil {
				t.Fatal("obtained")
			}
			in.Order = seen.detail(report.OrderCreated)
		},
		"it is unknown": func(_ *testing.T, ca *testca.Server, in *ObtainInput) {
			in.Order = pendingOrder(t, *in) + "x"
		},
		"it is another account's": func(t *testing.T, ca *testca.Server, in *ObtainInput) {
			in.Order = readyOrder(t, keyed(t, ca, "a.example"))
		},
		"it is for other names": func(t *testing.T, ca *testca.Server, in *ObtainInput) {
			other := *in
			other.Identifiers = []string{"a.example", "b.example"}
			in.Order = readyOrder(t, other)
		},
		"it is for another profile": func(t *testing.T, ca *testca.Server, in *ObtainInput) {
			other := *in
			other.Profile = "short"
			in.Order = readyOrder(t, other)
			in.Profile = "long"
		},
		"its certificate has another key": func(t *testing.T, ca *testca.Server, in *ObtainInput) {
			other := *in
			other.Key.PEM = newKey(t)
			certificate, _ := mustObtain(t, ca, other)
			in.Order = certificate.OrderURL
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			ca := startCA(t, testca.Config{Profiles: map[string]testca.Profile{
				"long": {Description: "long", ValiditySeconds: 86400}, "short": {Description: "short", ValiditySeconds: 3600},
			}})
			in := keyed(t, ca, "a.example")
			spoil(t, ca, &in)
			before := ca.Requests()["newOrder"]
			certificate, seen := mustObtain(t, ca, in)
			if certificate.OrderURL == in.Order || ca.Requests()["newOrder"] != before+1 {
				t.Errorf("%s, %v", certificate.OrderURL, ca.Requests())
			}
			if seen.count(report.OrderCreated) != 1 || seen.count(report.Retrying) != 1 || seen.count(report.OrderResumed) != 0 {
				t.Errorf("%v", seen.kinds())
			}
		})
	}
}

func TestTheCAsOwnTroubleIsNoReasonForANewOrder(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	in := keyed(t, ca, "a.example")
	in.Order = readyOrder(t, in)
	startProxy(t, ca, &in, func(kind string, _ int, answer *http.Response) error {
		if kind == "order" {
			return refuse(answer, http.StatusTooManyRequests, "rateLimited", "too many")
		}
		return nil
	})
	in.Order = strings.Replace(in.Server.Directory, "/dir", "/my-order/", 1) + path.Base(in.Order)
	_, _, err := obtain(t, in)
	wantProblem(t, err, legoacme.RateLimitedErrorType)
	if asked := ca.Requests(); asked["newOrder"] != 1 {
		t.Errorf("%v", asked)
	}
}

func TestAnOrderIsGoneOnWithByItsKeyOnly(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	for _, spoil := range []func(*ObtainInput){
		func(in *ObtainInput) { in.Key = Key{} },
		func(in *ObtainInput) { in.Order = "http://127.0.0.1/order" },
	} {
		in := keyed(t, ca, "a.example")
		in.Order = "https://127.0.0.1/order"
		spoil(&in)
		if _, _, err := obtain(t, in); fault.CodeOf(err, "") != fault.InvalidArguments {
			t.Errorf("%v", err)
		}
	}
	if asked := ca.Requests(); len(asked) != 0 {
		t.Errorf("%v", asked)
	}
}

func TestACallThatIsCancelledWhileItsOrderIsKeptFinalizesNothing(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	in := keyed(t, ca, "a.example")
	in.KeepOrder = true
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	asked := question.With(ctx, func(context.Context, time.Duration, string, any) (json.RawMessage, error) {
		stop() // and the order is kept all the same
		return json.RawMessage("{}"), nil
	})
	_, err := Obtain(asked, in, report.Discard)
	if fault.CodeOf(err, "") != fault.Cancelled || ca.Requests()["finalize"] != 0 {
		t.Errorf("%v, %v", err, ca.Requests())
	}
}

func TestAGeneratedKeyIsOfTheTypeThatIsAskedFor(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"EC256", "EC384", "RSA2048"} {
		generated, err := GenerateKey(t.Context(), GenerateKeyInput{Type: kind}, report.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pki.ParseKey(generated.Key); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	_, err := GenerateKey(t.Context(), GenerateKeyInput{Type: "DSA"}, report.Discard)
	if fault.CodeOf(err, "") != fault.InvalidArguments {
		t.Errorf("%v", err)
	}
}
