package dropin

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"pylego/engine/caller"
	"pylego/engine/fault"
	"pylego/engine/fuzzing"
)

const secret = "s3cret-0123456789"

// withSecrets puts a secret into every field that may hold one.
func withSecrets(data []byte) []byte {
	var fields map[string]any
	if json.Unmarshal(data, &fields) != nil || fields == nil {
		return data
	}
	for _, name := range []string{"private_key", "eab_hmac"} {
		if _, ok := fields[name].(string); ok {
			fields[name] = secret
		}
	}
	if variables, ok := fields["env"].(map[string]any); ok {
		variables["API_TOKEN"] = secret
	}
	encoded, err := json.Marshal(fields)
	if err != nil {
		return data
	}
	return encoded
}

// Any message is refused with one of the codes of bad input, which shows no
// secret, or asks for an order that can be begun.
func FuzzMessages(f *testing.F) {
	here := caller.Caller{Environment: caller.EnvironmentOf([]string{"PATH=/bin", "API_TOKEN=another"})}
	refusals := []fault.Code{fault.InvalidArguments, fault.InvalidEnvironment, fault.InvalidCSR}
	fuzzing.Run(f, func(t *testing.T, data []byte) {
		input := Input{Caller: here, Message: string(withSecrets(data))}
		obtain, err := input.obtain()
		if err != nil {
			if !slices.Contains(refusals, fault.CodeOf(err, "")) || strings.Contains(err.Error(), secret) {
				t.Errorf("%v", err)
			}
			return
		}
		if obtain.CSR == "" || len(obtain.Challenges) == 0 || obtain.Account.EAB != nil && obtain.Account.EAB.HMAC == "" {
			t.Errorf("%+v", obtain)
		}
		for _, challenge := range obtain.Challenges {
			if challenge.Type == "dns-01" == (challenge.Port != 0) || challenge.Port > 65535 || challenge.DNS.Propagation.Wait < 0 {
				t.Errorf("%+v", challenge)
			}
			for name, value := range challenge.DNS.Variables {
				if found := obtain.Caller.Environment.Get(name); found != value {
					t.Errorf("%q is %q in the environment, not %q", name, found, value)
				}
			}
		}
		for _, entry := range obtain.Caller.Environment.Entries() {
			if name, _, ok := strings.Cut(entry, "="); !ok || name == "" {
				t.Errorf("%q is no variable", entry)
			}
		}
	},
		`{"email":"a@b.example","server":"https://ca.example/directory","csr":"-----BEGIN","plugin":"","env":{"HTTP01_PORT":"8080","TLSALPN01_PORT":"443"},"private_key":"key"}`,
		`{"email":"a@b.example","server":"letsencrypt","csr":"x","plugin":"cloudflare","env":{"CF_DNS_API_TOKEN":"t","DNS_PROPAGATION_RNS":"1"},"dns_propagation_wait":30,"dns_nameservers":["192.0.2.1:53"]}`,
		`{"email":"","server":"","csr":"x","plugin":"tls","env":{"A=B":"c","TLSALPN01_PORT":"70000"},"eab_kid":"kid","eab_hmac":"hmac"}`,
	)
}
