package issuance

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	legoacme "github.com/go-acme/lego/v5/acme"

	"pylego/engine/account"
	"pylego/engine/fault"
	"pylego/engine/report"
	"pylego/engine/testca"
)

func TestObtainByHTTP01(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	certificate, seen := mustObtain(t, ca, inputFor(t, ca, "a.example"))
	want := []report.Kind{
		report.AccountReady, report.OrderCreated, report.Authorization, report.Presented,
		report.Triggered, report.Validated, report.Finalized, report.Issued,
	}
	kinds := slices.DeleteFunc(seen.kinds(), func(kind report.Kind) bool { return kind == report.CleanedUp }) // beside the others
	if !slices.Equal(kinds, want) || seen.count(report.CleanedUp) != 1 {
		t.Errorf("%v", seen.kinds())
	}
	if certificate.Domain != "a.example" || certificate.PrivateKey == "" || certificate.Account.URL == "" || certificate.URL == "" {
		t.Errorf("%+v", certificate)
	}
	if !portIsFree(ca.Info().HTTPPort) {
		t.Error("the port is still bound")
	}
}

func TestObtainByTLSALPN01(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	in := inputFor(t, ca, "a.example", "b.example")
	in.Challenges = []Challenge{tlsALPN01(ca)}
	mustObtain(t, ca, in)
	if !portIsFree(ca.Info().TLSPort) {
		t.Error("the port is still bound")
	}
}

func TestObtainForIPAddresses(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	for _, challenge := range []Challenge{http01(ca), tlsALPN01(ca)} {
		in := inputFor(t, ca, "127.0.0.1")
		in.Challenges = []Challenge{challenge}
		certificate, _ := mustObtain(t, ca, in)
		if certificate.Identifiers[0].Type != "ip" {
			t.Errorf("%s: %+v", challenge.Type, certificate.Identifiers)
		}
	}
}

func TestObtain20Names(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	mustObtain(t, ca, inputFor(t, ca, names(20, "many.example")...))
}

func TestObtain100Names(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	mustObtain(t, ca, inputFor(t, ca, names(100, "many.example")...))
}

func TestACSRIsSignedAsItIs(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	first, _ := mustObtain(t, ca, inputFor(t, ca, "csr.example"))
	in := inputFor(t, ca)
	in.CSR = first.CSR
	second, _ := mustObtain(t, ca, in)
	if second.PrivateKey != "" || second.CSR != first.CSR || second.Domain != "csr.example" {
		t.Errorf("%+v", second)
	}
}

func TestAProfileIsAskedFor(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{Profiles: map[string]testca.Profile{
		"long": {Description: "long", ValiditySeconds: 86400}, "short": {Description: "short", ValiditySeconds: 3600},
	}})
	for profile, hours := range map[string]float64{"long": 24, "short": 1} {
		in := inputFor(t, ca, "a.example")
		in.Profile = profile
		certificate, _ := mustObtain(t, ca, in)
		if valid := certificate.NotAfter.Sub(certificate.NotBefore).Hours(); valid < hours-0.1 || valid > hours+0.1 {
			t.Errorf("%s: %v hours", profile, valid)
		}
	}
	in := inputFor(t, ca, "a.example")
	in.Profile = "unknown"
	_, _, err := obtain(t, in)
	wantProblem(t, err, "urn:ietf:params:acme:error:invalidProfile")
}

func TestAnExternalAccountIsBound(t *testing.T) {
	t.Parallel()
	right := base64.RawURLEncoding.EncodeToString([]byte("a key of thirty-two bytes, or so"))
	wrong := base64.RawURLEncoding.EncodeToString([]byte("another key of thirty-two bytes."))
	ca := startCA(t, testca.Config{ExternalAccounts: map[string]string{"kid-1": right}})

	in := inputFor(t, ca, "a.example")
	in.Account.EAB = &account.Binding{KeyID: "kid-1", HMAC: right + "="}
	mustObtain(t, ca, in)

	in = inputFor(t, ca, "a.example")
	in.Account.EAB = &account.Binding{KeyID: "kid-1", HMAC: wrong}
	_, _, err := obtain(t, in)
	wantProblem(t, err, legoacme.UnauthorizedErrorType)
	if strings.Contains(err.Error(), wrong) {
		t.Errorf("the HMAC key is in the error: %v", err)
	}

	_, _, err = obtain(t, inputFor(t, ca, "a.example"))
	wantProblem(t, err, legoacme.ExternalAccountRequiredErrorType)

	in = inputFor(t, ca, "a.example")
	in.Account.EAB = &account.Binding{KeyID: "kid-1", HMAC: "not base64!"}
	_, _, err = obtain(t, in)
	var known *fault.Error
	if !errors.As(err, &known) || known.Code != fault.AccountRegistrationFailed || strings.Contains(err.Error(), "not base64!") {
		t.Errorf("%v", err)
	}
}

func TestABlockedNameIsRejectedAndNamed(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{BlockedNames: []string{"blocked.example"}})
	_, _, err := obtain(t, inputFor(t, ca, "a.example", "blocked.example"))
	wantProblem(t, err, legoacme.RejectedIdentifierErrorType)
}

func TestAnOrderThatIsReadyNeedsNoChallenge(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{AuthzReuse: 100})
	in := inputFor(t, ca, "a.example", "b.example")
	mustObtain(t, ca, in)
	before := ca.Requests()
	_, seen := mustObtain(t, ca, in)
	after := ca.Requests()
	if seen.count(report.Presented) != 0 || after["challenge"] != before["challenge"] || after["authorization"] != before["authorization"] {
		t.Errorf("%v; %v, then %v", seen.kinds(), before, after)
	}
}

func TestBadInputIsRefusedBeforeTheNetwork(t *testing.T) {
	t.Parallel()
	ca := startCA(t, testca.Config{})
	good := inputFor(t, ca, "a.example")
	for what, spoil := range map[string]func(*ObtainInput){
		"no name":             func(in *ObtainInput) { in.Identifiers = nil },
		"a name with a space": func(in *ObtainInput) { in.Identifiers = []string{"a b.example"} },
		"no challenge":        func(in *ObtainInput) { in.Challenges = nil },
		"an unknown type":     func(in *ObtainInput) { in.Challenges[0].Type = "http-02" },
		"port 0":              func(in *ObtainInput) { in.Challenges[0].Port = 0 },
		"a CSR and names":     func(in *ObtainInput) { in.CSR = "x" },
		"no CSR":              func(in *ObtainInput) { in.Identifiers, in.CSR = nil, "-----BEGIN CERTIFICATE REQUEST-----" },
		"an account key":      func(in *ObtainInput) { in.Account.Key = "secret-key-text" },
		"a key type":          func(in *ObtainInput) { in.Key.Type = "DSA" },
		"http":                func(in *ObtainInput) { in.Server.Directory = strings.Replace(in.Server.Directory, "https", "http", 1) },
		"no directory":        func(in *ObtainInput) { in.Server.Directory = "" },
	} {
		in := good
		in.Challenges = slices.Clone(good.Challenges)
		spoil(&in)
		_, _, err := obtain(t, in)
		var known *fault.Error
		if !errors.As(err, &known) || fault.Lookup(known.Code).Phase != "request" || strings.Contains(err.Error(), "secret-key-text") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if asked := ca.Requests(); len(asked) != 0 {
		t.Errorf("%v", asked)
	}
}

func TestATrustFailureLeavesThePortFree(t *testing.T) {
	ca := startCA(t, testca.Config{})
	in := inputFor(t, ca, "a.example")
	in.Server.Trust.Files = []string{"/nowhere/root.pem"}
	for range 200 { // the port may be bound before, while or after the error is found
		if _, err := Obtain(context.Background(), in, report.Discard); err == nil {
			t.Fatal("obtained")
		}
	}
	if left := leftRunning(); left != "" {
		t.Error(left)
	}
	if !portIsFree(ca.Info().HTTPPort) {
		t.Error("the port is still bound")
	}
}
