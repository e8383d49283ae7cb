package pki

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
	"testing"

	"pylego/engine/fault"
	"pylego/engine/fuzzing"
)

// A key that is taken can be written, read again and signed with.
func FuzzPrivateKeys(f *testing.F) {
	var seeds []string
	for _, kind := range []string{"EC256", "EC384", "RSA2048"} {
		key, err := GenerateKey(kind)
		if err != nil {
			f.Fatal(err)
		}
		seeds = append(seeds, EncodeKey(key))
	}
	digest := sha256.Sum256([]byte("a request"))
	fuzzing.Run(f, func(t *testing.T, data []byte) {
		key, err := ParseKey(string(data))
		if err != nil {
			if codeOf(err) != fault.InvalidPrivateKey || len(data) > 40 && strings.Contains(err.Error(), string(data[:40])) {
				t.Errorf("%v", err)
			}
			return
		}
		again, err := ParseKey(EncodeKey(key))
		if err != nil || EncodeKey(again) != EncodeKey(key) {
			t.Errorf("written, it is another: %v", err)
		}
		if _, err := key.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
			t.Errorf("it cannot sign: %v", err)
		}
	}, append(seeds, strings.ReplaceAll(seeds[0], "PRIVATE KEY", "EC PRIVATE KEY"), "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n")...)
}

// requestOf makes a PEM certificate request of some names.
func requestOf(f *testing.F, names ...string) string {
	f.Helper()
	key, err := GenerateKey("EC256")
	if err != nil {
		f.Fatal(err)
	}
	identifiers, err := IdentifiersOf(names)
	if err != nil {
		f.Fatal(err)
	}
	request, err := CreateCSR(key, identifiers, false, false)
	if err != nil {
		f.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: request.Raw}))
}

// A request that is taken names something that a CA can be asked for, or says
// which name cannot.
func FuzzCertificateRequests(f *testing.F) {
	one, many := requestOf(f, "a.example"), requestOf(f, "a.example", "*.a.example", "127.0.0.1", "::1")
	fuzzing.Run(f, func(t *testing.T, data []byte) {
		request, err := ParseCSR(string(data))
		if err != nil {
			if codeOf(err) != fault.InvalidCSR {
				t.Errorf("%v", err)
			}
			return
		}
		identifiers, err := Identifiers(request)
		if err != nil && codeOf(err) != fault.InvalidArguments || err == nil && len(identifiers) == 0 {
			t.Errorf("%v, %v", identifiers, err)
		}
	}, one, many, "text before\n"+one, strings.ReplaceAll(one, "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"), one[:len(one)/2])
}

// Behind the signature, which nothing bad gets past in the target above.
func FuzzUnsignedRequests(f *testing.F) {
	var seeds []string
	for _, names := range [][]string{{"a.example"}, {"a.example", "*.a.example", "127.0.0.1", "::1"}} {
		block, _ := pem.Decode([]byte(requestOf(f, names...)))
		seeds = append(seeds, string(block.Bytes))
	}
	fuzzing.Run(f, func(t *testing.T, data []byte) {
		request, err := x509.ParseCertificateRequest(data)
		if err != nil {
			return
		}
		identifiers, err := Identifiers(request)
		if err != nil && codeOf(err) != fault.InvalidArguments {
			t.Errorf("%v, %v", identifiers, err)
		}
		if !bytes.Equal(request.Raw, data) {
			t.Error("it is sent in other bytes")
		}
	}, seeds...)
}

// What identifiers are made of names stays what it is: given again, and in the
// certificate request, which the CA compares with the order.
func FuzzNames(f *testing.F) {
	key, err := GenerateKey("EC256")
	if err != nil {
		f.Fatal(err)
	}
	fuzzing.Run(f, func(t *testing.T, data []byte) {
		identifiers, err := IdentifiersOf(strings.Split(string(data), " "))
		if err != nil {
			if codeOf(err) != fault.InvalidArguments {
				t.Errorf("%v", err)
			}
			return
		}
		var values []string
		for _, identifier := range identifiers {
			values = append(values, identifier.Value)
		}
		if again, err := IdentifiersOf(values); err != nil || !slices.Equal(again, identifiers) {
			t.Errorf("%v became %v, %v", identifiers, again, err)
		}
		request, err := CreateCSR(key, identifiers, false, false)
		if err != nil {
			t.Fatal(err)
		}
		if found, err := Identifiers(request); err != nil || len(found) != len(identifiers) {
			t.Errorf("%v are %v in the request, %v", identifiers, found, err)
		} else {
			for _, identifier := range identifiers {
				if !slices.Contains(found, identifier) {
					t.Errorf("%v is not among %v", identifier, found)
				}
			}
		}
	}, "a.example *.a.example", "127.0.0.1 ::1", "1.2.3.4.example xn--bcher-kva.example _a.B.example.", "0:0::1 ::ffff:1.2.3.4", "1.2.3.4. *.1.2.3.4")
}
