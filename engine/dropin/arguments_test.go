package dropin

import (
	"encoding/json"
	"errors"
	"maps"
	"net"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"pylego/engine/caller"
	"pylego/engine/fault"
	"pylego/engine/issuance"
	"pylego/engine/providerhost"
	"pylego/engine/report"
)

// message is run_lego_command's with some fields set.
func message(t *testing.T, fields map[string]any) Input {
	t.Helper()
	all := map[string]any{"email": "a@b.example", "server": "letsencrypt", "csr": "a CSR", "plugin": "", "env": map[string]string{}}
	maps.Copy(all, fields)
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return Input{Message: string(text), Caller: caller.Caller{Environment: caller.EnvironmentOf([]string{"PATH=/bin", "HTTP01_IFACE=10.0.0.1"})}}
}

func dns(d issuance.DNS) []issuance.Challenge { return []issuance.Challenge{{Type: "dns-01", DNS: d}} }

func TestPluginAndEnvironmentChooseTheChallenges(t *testing.T) {
	http := issuance.Challenge{Type: "http-01", Host: "10.0.0.1", Port: 80}
	tls := issuance.Challenge{Type: "tls-alpn-01", Port: 443}
	token := map[string]string{"TOKEN": "t"}
	for name, test := range map[string]struct {
		fields map[string]any
		want   []issuance.Challenge
	}{
		"no plugin": {map[string]any{}, []issuance.Challenge{http, tls}},
		"http":      {map[string]any{"plugin": "http"}, []issuance.Challenge{http, tls}},
		"tls":       {map[string]any{"plugin": "tls"}, []issuance.Challenge{tls}},
		"ports": {
			map[string]any{"env": map[string]string{"HTTP01_PORT": "8080", "HTTP01_IFACE": "::1", "TLSALPN01_PORT": "8443", "TLSALPN01_IFACE": "127.0.0.1"}},
			[]issuance.Challenge{{Type: "http-01", Host: "::1", Port: 8080}, {Type: "tls-alpn-01", Host: "127.0.0.1", Port: 8443}},
		},
		"a provider": {
			map[string]any{"plugin": "httpreq", "env": token, "dns_nameservers": []string{"127.0.0.1:53"}},
			dns(issuance.DNS{Provider: "httpreq", Variables: token, Resolvers: []string{"127.0.0.1:53"}, Propagation: issuance.Propagation{Authoritative: true}}),
		},
		"a wait": {
			map[string]any{"plugin": "httpreq", "dns_propagation_wait": 5},
			dns(issuance.DNS{Provider: "httpreq", Variables: map[string]string{}, Propagation: issuance.Propagation{Wait: 5, Authoritative: true}}),
		},
		"checks": {
			map[string]any{"plugin": "httpreq", "env": map[string]string{"DNS_PROPAGATION_DISABLE_ANS": "false", "DNS_PROPAGATION_RNS": "0"}},
			dns(issuance.DNS{Provider: "httpreq", Variables: map[string]string{"DNS_PROPAGATION_DISABLE_ANS": "false", "DNS_PROPAGATION_RNS": "0"}, Propagation: issuance.Propagation{Recursive: true}}),
		},
		"a port that a provider does not need": {
			map[string]any{"plugin": "httpreq", "env": map[string]string{"HTTP01_PORT": "tcp://10.0.0.1:80"}},
			dns(issuance.DNS{Provider: "httpreq", Variables: map[string]string{"HTTP01_PORT": "tcp://10.0.0.1:80"}, Propagation: issuance.Propagation{Authoritative: true}}),
		},
	} {
		obtain, err := message(t, test.fields).obtain()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if !reflect.DeepEqual(obtain.Challenges, test.want) {
			t.Errorf("%s: %+v", name, obtain.Challenges)
		}
	}
}

func TestTheRestOfTheMessage(t *testing.T) {
	obtain, err := message(t, map[string]any{
		"server": "letsencrypt-staging", "private_key": "key", "eab_kid": "kid", "eab_hmac": "aG1hYw",
		"env": map[string]string{"PATH": "/usr/bin", "SSL_CERT_FILE": "/root.pem"},
	}).obtain()
	if err != nil {
		t.Fatal(err)
	}
	if url, err := obtain.Server.URL(); err != nil || url != "https://acme-staging-v02.api.letsencrypt.org/directory" {
		t.Error(url, err)
	}
	if obtain.Account.Key != "key" || obtain.Account.EAB.KeyID != "kid" || !obtain.Account.TermsAgreed || obtain.CSR != "a CSR" {
		t.Errorf("%+v", obtain)
	}
	if here := obtain.Caller.Environment; here.Get("PATH") != "/usr/bin" || here.Get("HTTP01_IFACE") != "10.0.0.1" || len(obtain.Caller.Transport().Trust.Files) != 1 {
		t.Errorf("%q", here.Entries())
	}
}

func TestBadInputFailsBeforeTheNetwork(t *testing.T) {
	for name, test := range map[string]struct {
		fields map[string]any
		code   fault.Code
	}{
		"a negative wait":      {map[string]any{"dns_propagation_wait": -1}, fault.InvalidArguments},
		"half an EAB":          {map[string]any{"eab_kid": "kid"}, fault.InvalidArguments},
		"the other half":       {map[string]any{"eab_hmac": "s3cret"}, fault.InvalidArguments},
		"a number in env":      {map[string]any{"env": map[string]any{"A": 1}}, fault.InvalidArguments},
		"nothing in env":       {map[string]any{"env": map[string]any{"A": nil}}, fault.InvalidArguments},
		"no variable's name":   {map[string]any{"env": map[string]any{"": "s3cret"}}, fault.InvalidEnvironment},
		"a name with =":        {map[string]any{"env": map[string]any{"A=B": "s3cret"}}, fault.InvalidEnvironment},
		"a NUL":                {map[string]any{"env": map[string]any{"A": "s3cret\x00"}}, fault.InvalidEnvironment},
		"port 0":               {map[string]any{"env": map[string]any{"HTTP01_PORT": "0"}}, fault.InvalidEnvironment},
		"port 65536":           {map[string]any{"plugin": "tls", "env": map[string]any{"TLSALPN01_PORT": "65536"}}, fault.InvalidEnvironment},
		"a port of letters":    {map[string]any{"env": map[string]any{"HTTP01_PORT": "http"}}, fault.InvalidEnvironment},
		"no CSR":               {map[string]any{"csr": ""}, fault.InvalidCSR},
		"a CSR that is none":   {map[string]any{"csr": "x"}, fault.InvalidCSR},
		"a key that is none":   {map[string]any{"private_key": "s3cret"}, fault.InvalidPrivateKey},
		"an unknown directory": {map[string]any{"server": "letsencrpyt"}, fault.InvalidArguments},
		"http":                 {map[string]any{"server": "http://ca.example/dir"}, fault.InvalidArguments},
		"a list":               {map[string]any{"email": []string{"s3cret"}}, fault.InvalidArguments},
		"an EAB of no base64":  {map[string]any{"eab_kid": "kid", "eab_hmac": "s3cret!"}, fault.AccountRegistrationFailed},
	} {
		_, err := Run(t.Context(), message(t, test.fields), report.Discard)
		var known *fault.Error
		if !errors.As(err, &known) || known.Code != test.code || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Run(t.Context(), Input{Message: "no JSON"}, report.Discard); err == nil {
		t.Error("a message that is no JSON")
	}
}

func TestNewFailuresHaveTheirOldCode(t *testing.T) {
	refused := &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	for name, test := range map[string]struct {
		err  *fault.Error
		want fault.Code
	}{
		"a challenge":                        {fault.New(fault.ChallengeFailed, "x"), fault.CertificateObtainFailed},
		"a record that is not seen":          {fault.New(fault.PropagationTimeout, "x"), fault.CertificateObtainFailed},
		"a name server that is away":         {&fault.Error{Code: fault.PropagationTimeout, Network: true}, fault.NetworkError},
		"a provider that is not made":        {fault.New(fault.DNSProviderFailed, "x"), fault.DNSProviderFailed},
		"one that finds its API away":        {&fault.Error{Code: fault.DNSProviderFailed, Network: true}, fault.NetworkError},
		"a provider that is unknown":         {fault.New(fault.UnknownProvider, "x"), fault.DNSProviderFailed},
		"a provider that refuses":            {&fault.Error{Code: fault.DNSProviderFailed, Attempts: make([]fault.Attempt, 1)}, fault.CertificateObtainFailed},
		"a provider that cannot be reached":  {attempt(&fault.Error{Code: fault.DNSProviderFailed, Network: true}), fault.NetworkError},
		"a port that is taken":               {attempt(fault.Wrap(fault.CertificateObtainFailed, refused, "x")), fault.NetworkError},
		"the CA's certificate":               {fault.New(fault.CertificateObtainFailed, "x"), fault.CertificateObtainFailed},
		"the network":                        {fault.New(fault.NetworkError, "x"), fault.NetworkError},
		"an argument, whatever it came from": {fault.Wrap(fault.InvalidArguments, refused, "x"), fault.InvalidArguments},
	} {
		var known *fault.Error
		if err := inOldWords(test.err); !errors.As(err, &known) || known.Code != test.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// attempt is the error of an order about one of its attempts.
func attempt(err *fault.Error) *fault.Error {
	return &fault.Error{Code: err.Code, Detail: err.Detail, Attempts: make([]fault.Attempt, 1), Err: err}
}

func TestOldWordsKeepWhatStaysBehind(t *testing.T) {
	var known *fault.Error
	err := inOldWords(&fault.Leaving{Err: fault.New(fault.ChallengeFailed, "no"), Left: []string{"a record"}})
	if !errors.As(err, &known) || known.Code != fault.CertificateObtainFailed || err.Error() != "no; a record" {
		t.Error(err)
	}
}

func TestWhoLacksCredentialsIsToldWhereTheyGo(t *testing.T) {
	err := inOldWords(fault.New(fault.MissingCredentials, "no TOKEN; %s", providerhost.HowToGive))
	if err.Error() != "no TOKEN; set them in env, or in the environment" || fault.CodeOf(err, "") != fault.DNSProviderFailed {
		t.Error(err)
	}
}

func TestAnArgumentOfAnotherTypeIsNamed(t *testing.T) {
	for want, fields := range map[string]map[string]any{
		"csr is a number, and has to be text":                    {"csr": 5},
		"plugin is a list, and has to be text":                   {"plugin": []string{"http"}},
		"env is text, and has to be a mapping":                   {"env": "namecheap"},
		"dns_nameservers is text, and has to be a list":          {"dns_nameservers": "192.0.2.1"},
		"dns_nameservers has a number in it, where text belongs": {"dns_nameservers": []any{5}},
		"dns_propagation_wait is text, and has to be a number":   {"dns_propagation_wait": "5"},
		"eab_kid is a mapping, and has to be text":               {"eab_kid": map[string]string{}, "eab_hmac": "x"},
		"email is true or false, and has to be text":             {"email": true},
	} {
		_, err := message(t, fields).obtain()
		if fault.CodeOf(err, "") != fault.InvalidArguments || err.Error() != "the arguments do not fit: "+want {
			t.Errorf("%v", err)
		}
	}
}

func TestANameServerIsAHostAndPerhapsAPort(t *testing.T) {
	for _, server := range []string{"192.0.2.1", "192.0.2.1:53", "ns.example", "ns_1.example:5353", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:53", "fe80::1%eth0"} {
		if _, err := message(t, map[string]any{"plugin": "httpreq", "dns_nameservers": []string{server}}).obtain(); err != nil {
			t.Errorf("%s: %v", server, err)
		}
	}
	for _, server := range []string{"", ":53", "what is this", "https://192.0.2.1/", "192.0.2.1:0", "192.0.2.1:dns", "192.0.2.1:65536", "192.0.2.1,192.0.2.2"} {
		_, err := message(t, map[string]any{"plugin": "httpreq", "dns_nameservers": []string{"192.0.2.1", server}}).obtain()
		if fault.CodeOf(err, "") != fault.InvalidArguments || !strings.Contains(err.Error(), "dns_nameservers") {
			t.Errorf("%q: %v", server, err)
		}
	}
}
