package pki

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
	"testing"

	"pylego/engine/fault"
)

func codeOf(err error) fault.Code { return fault.CodeOf(err, "") }

func TestKeysSurviveBeingWritten(t *testing.T) {
	for _, kind := range []string{"EC256", "EC384", "RSA2048"} {
		key, err := GenerateKey(kind)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseKey(EncodeKey(key))
		if err != nil || EncodeKey(again) != EncodeKey(key) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	if _, err := GenerateKey("DSA"); codeOf(err) != fault.InvalidArguments {
		t.Errorf("%v", err)
	}
}

func TestABadKeyIsNotInItsError(t *testing.T) {
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(edwards)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "s3cret", "-----BEGIN PRIVATE KEY-----\nczNjcmV0\n-----END PRIVATE KEY-----\n", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))} {
		_, err := ParseKey(text)
		if codeOf(err) != fault.InvalidPrivateKey || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "czNj") {
			t.Errorf("%v", err)
		}
	}
}

func TestNamesAreToldFromAddresses(t *testing.T) {
	identifiers, err := IdentifiersOf([]string{"B.Example.", "*.b.example", "b.example", "127.0.0.1", "0:0::1", "xn--bcher-kva.example", "_acme.example"})
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, identifier := range identifiers {
		found = append(found, identifier.Type+" "+identifier.Value)
	}
	want := []string{"dns b.example", "dns *.b.example", "ip 127.0.0.1", "ip ::1", "dns xn--bcher-kva.example", "dns _acme.example"}
	if !slices.Equal(found, want) {
		t.Errorf("%q", found)
	}
}

func TestWhatNoCertificateCanHoldIsRefused(t *testing.T) {
	for _, name := range []string{
		"", ".", "*.", "*", "a..b", "*.*.a", "a.*.b", "-a.example", "a-.example", "☃\u200d.example", "a b", "a@b.example", "https://a.example", "127.0.0.1.", "*.127.0.0.1",
		strings.Repeat("a", 64) + ".example", strings.Repeat("a.", 127) + "a",
	} {
		if _, err := IdentifiersOf([]string{name}); codeOf(err) != fault.InvalidArguments {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestARequestIsReadAsItWasMade(t *testing.T) {
	key, err := GenerateKey("EC256")
	if err != nil {
		t.Fatal(err)
	}
	identifiers, err := IdentifiersOf([]string{"a.example", "*.a.example", "127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	request, err := CreateCSR(key, identifiers, false, false)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: request.Raw})
	again, err := ParseCSR(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if found, err := Identifiers(again); err != nil || !slices.Equal(found, identifiers) || again.Subject.CommonName != "" {
		t.Errorf("%v, %v", found, err)
	}
}

func TestABadRequestIsRefused(t *testing.T) {
	key, err := GenerateKey("EC256")
	if err != nil {
		t.Fatal(err)
	}
	empty, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{"a.example"}}, key)
	if err != nil {
		t.Fatal(err)
	}
	forged[len(forged)-1] ^= 1
	for _, der := range [][]byte{nil, empty, forged} {
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
		if _, err := ParseCSR(string(text)); codeOf(err) != fault.InvalidCSR {
			t.Errorf("%v", err)
		}
	}
	if _, err := ParseCSR("no PEM"); codeOf(err) != fault.InvalidCSR {
		t.Errorf("%v", err)
	}
}

func TestASeedMakesTheSameKeyEachTime(t *testing.T) {
	seed := strings.Repeat("0123456789abcdef", 4)
	first, err := KeyFromSeed(seed)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := KeyFromSeed(seed)
	other, _ := KeyFromSeed(seed + "x")
	if EncodeKey(first) != EncodeKey(again) || EncodeKey(first) == EncodeKey(other) {
		t.Error("a key is its seed's, and another seed's is another")
	}
	if _, err := ParseKey(EncodeKey(first)); err != nil {
		t.Error(err)
	}
	if _, err := KeyFromSeed(seed[:63]); err == nil {
		t.Error("a short seed was taken")
	}
}

func TestNamesInOtherScriptsBecomeALabels(t *testing.T) {
	for name, want := range map[string]string{
		"bücher.example":     "xn--bcher-kva.example",
		"*.BÜCHER.example":   "*.xn--bcher-kva.example",
		"XN--bcher-kva.Test": "xn--bcher-kva.test",
	} {
		identifiers, err := IdentifiersOf([]string{name})
		if err != nil || identifiers[0].Value != want {
			t.Errorf("%s: %v %v", name, identifiers, err)
		}
	}
}
