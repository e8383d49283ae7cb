package caller

import (
	"slices"
	"testing"

	"pylego/engine/transport"
)

func TestVariablesAreSetAnew(t *testing.T) {
	before := EnvironmentOf([]string{"A=1", "B=x=y", "C=\xff", "E="})
	after := before.With(map[string]string{"A": "2", "D": "4"})
	if !slices.Equal(after.Entries(), []string{"B=x=y", "C=\xff", "E=", "A=2", "D=4"}) {
		t.Errorf("%q", after.Entries())
	}
	if after.Get("B") != "x=y" || after.Get("Z") != "" || after.Set("E") || before.Get("A") != "1" {
		t.Errorf("%q, %q", before.Entries(), after.Entries())
	}
	if Environment(nil).Entries() != nil {
		t.Error("nothing has an entry")
	}
}

func TestTrustAndProxiesAreThoseOfTheCall(t *testing.T) {
	for _, test := range []struct {
		entries []string
		trust   transport.Trust
		proxy   transport.Proxy
	}{
		{[]string{"SSL_CERT_FILE=/a.pem", "SSL_CERT_DIR=/d"}, transport.Trust{Files: []string{"/a.pem"}, Directories: []string{"/d"}}, transport.Proxy{}},
		{[]string{"LEGO_CA_CERTIFICATES=/a.pem:/b.pem", "SSL_CERT_FILE=/c.pem"}, transport.Trust{Files: []string{"/a.pem", "/b.pem"}, NoSystem: true}, transport.Proxy{}},
		{[]string{"LEGO_CA_CERTIFICATES=/a.pem", "LEGO_CA_SYSTEM_CERT_POOL=true", "SSL_CERT_FILE=/c.pem"}, transport.Trust{Files: []string{"/a.pem", "/c.pem"}}, transport.Proxy{}},
		{[]string{"SSL_CERT_FILE=a.pem", "SSL_CERT_DIR=d:../e"}, transport.Trust{Files: []string{"/here/a.pem"}, Directories: []string{"/here/d", "/e"}}, transport.Proxy{}},
		{[]string{"LEGO_CA_SERVER_NAME=ca.example"}, transport.Trust{ServerName: "ca.example"}, transport.Proxy{}},
		{[]string{"https_proxy=http://p:1", "NO_PROXY=.example", "HTTP_PROXY=http://q:1"}, transport.Trust{}, transport.Proxy{HTTPS: "http://p:1", No: ".example"}},
	} {
		config := Caller{EnvironmentOf(test.entries), []byte("/here")}.Transport()
		got, want := config.Fingerprint(), (transport.Config{Trust: test.trust, Proxy: test.proxy}).Fingerprint()
		if got != want {
			t.Errorf("%q: %s", test.entries, got)
		}
	}
}
