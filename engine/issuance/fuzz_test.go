package issuance

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"pylego/engine/fault"
	"pylego/engine/fuzzing"
	"pylego/engine/pki"
)

// Any input of `obtain` is refused before the network, with one of the codes of
// bad input, or says all that an order needs.
func FuzzInputs(f *testing.F) {
	key, err := pki.GenerateKey("EC256")
	if err != nil {
		f.Fatal(err)
	}
	text, err := json.Marshal(pki.EncodeKey(key))
	if err != nil {
		f.Fatal(err)
	}
	refusals := []fault.Code{fault.InvalidArguments, fault.InvalidPrivateKey, fault.InvalidCSR, fault.AccountRegistrationFailed}
	fuzzing.Run(f, func(t *testing.T, data []byte) {
		var in ObtainInput
		if json.Unmarshal(data, &in) != nil || strings.HasPrefix(in.Key.Type, "RSA") { // whose keys take seconds
			return
		}
		request, err := in.check()
		if err != nil {
			if !slices.Contains(refusals, fault.CodeOf(err, "")) {
				t.Errorf("%v", err)
			}
			return
		}
		if len(request.order.Identifiers) == 0 || len(request.challenges) == 0 || request.csr == nil || request.applicant == nil || request.cleanUp < 0 {
			t.Errorf("%+v", request)
		}
	},
		`{"server":{"directory":"https://ca.example/directory"},"account":{"email":"a@b.example","terms_agreed":true},"identifiers":["a.example","*.a.example","127.0.0.1"],"key":{"type":"EC256"},"challenges":[{"type":"http-01","port":80}],"cleanup_timeout":10}`,
		`{"server":{"directory":"letsencrypt"},"account":{"key":`+string(text)+`,"eab":{"key_id":"kid","hmac":"aG1hYw"}},"identifiers":["a.example"],"key":{"pem":`+string(text)+`},"challenges":[{"type":"dns-01","provider":"httpreq","propagation":{"wait":1e300}}],"cleanup_timeout":1e300}`,
		`{"server":{"directory":"letsencrypt"},"csr":"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n","challenges":[{"type":"tls-alpn-01"}]}`,
	)
}
