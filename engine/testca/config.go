package testca

import (
	"encoding/base64"
	"net/netip"
	"strings"

	"pylego/engine/fault"
)

// Config says how the CA behaves. The zero value is a quick and friendly CA:
// no good nonce rejected, no validation sleep, every name on 127.0.0.1.
type Config struct {
	NonceReject     int `json:"nonce_reject"`     // percent of good nonces rejected, at random
	ValidationSleep int `json:"validation_sleep"` // each of three validations sleeps 0 to N-1 seconds; 0: none
	AuthzReuse      int `json:"authz_reuse"`      // percent of valid authorizations used again

	// ExternalAccounts has key identifiers and their base64url HMAC keys. Where
	// there is one, newAccount requires an external account binding: RFC 8555 7.3.4.
	ExternalAccounts map[string]string `json:"external_accounts"`

	// Seconds for the Retry-After header, which Pebble sends as a number or as
	// a date, by chance; 0: it sends none.
	RetryAfterAuthz int `json:"retry_after_authz"`
	RetryAfterOrder int `json:"retry_after_order"`

	ChainLength    int    `json:"chain_length"`    // intermediates between root and certificate; 0: 1
	AlternateRoots int    `json:"alternate_roots"` // further chains, offered as Link rel="alternate"
	KeyAlgorithm   string `json:"key_algorithm"`   // of the CA's own keys: "ecdsa" ("") or "rsa"

	BlockedNames []string `json:"blocked_names"` // these and all names below them: rejectedIdentifier

	// Profiles the directory offers; none: one named "default". Of several,
	// Pebble takes any, by chance, for an order that names none.
	Profiles map[string]Profile `json:"profiles"`

	// Where the CA looks for http-01 and tls-alpn-01; 0: a free port is chosen
	// and told in Info.
	HTTPPort int `json:"http_port"`
	TLSPort  int `json:"tls_port"`

	// Where the directory, the DNS and the endpoint for httpreq are; 0: free ports.
	Port        int `json:"port"`
	DNSPort     int `json:"dns_port"`
	HTTPReqPort int `json:"httpreq_port"`

	Strict    bool     `json:"strict"`    // Pebble's strict mode
	Addresses []string `json:"addresses"` // what every name resolves to; none: 127.0.0.1
}

// Profile is one certificate profile of the directory.
type Profile struct {
	Description     string `json:"description"`
	ValiditySeconds uint64 `json:"validity_seconds"` // 0: Pebble's own 90 days
}

// Info says where a running server is and what it signs with.
type Info struct {
	Directory string `json:"directory"`  // https URL
	TrustRoot string `json:"trust_root"` // PEM: the root of the HTTPS certificate, not of what is issued

	// PEM, one of each per chain, the default chain first. Each text of
	// Intermediates has its whole chain below the root, the issuer first.
	Roots         []string `json:"roots"`
	Intermediates []string `json:"intermediates"`

	DNS      string `json:"dns"`     // host:port, the same for UDP and TCP
	HTTPReq  string `json:"httpreq"` // URL: the endpoint for lego's httpreq provider
	HTTPPort int    `json:"http_port"`
	TLSPort  int    `json:"tls_port"`

	Management string `json:"management"` // https URL of Pebble's management handler
}

// check fills in defaults and refuses, in a sentence, what Pebble would take
// silently for its own default or answer with a panic.
func (cfg *Config) check() error {
	for _, number := range []struct {
		name             string
		value, low, high int
	}{
		{"nonce_reject", cfg.NonceReject, 0, 100},
		{"validation_sleep", cfg.ValidationSleep, 0, 3600},
		{"authz_reuse", cfg.AuthzReuse, 0, 100},
		{"retry_after_authz", cfg.RetryAfterAuthz, 0, 86400},
		{"retry_after_order", cfg.RetryAfterOrder, 0, 86400},
		{"chain_length", cfg.ChainLength, 0, 10},
		{"alternate_roots", cfg.AlternateRoots, 0, 10},
		{"http_port", cfg.HTTPPort, 0, 65535},
		{"tls_port", cfg.TLSPort, 0, 65535},
		{"port", cfg.Port, 0, 65535},
		{"dns_port", cfg.DNSPort, 0, 65535},
		{"httpreq_port", cfg.HTTPReqPort, 0, 65535},
	} {
		if number.value < number.low || number.value > number.high {
			return fault.New(fault.InvalidArguments, "%s must be %d to %d, not %d",
				number.name, number.low, number.high, number.value)
		}
	}

	cfg.ChainLength = max(cfg.ChainLength, 1)

	switch cfg.KeyAlgorithm {
	case "":
		cfg.KeyAlgorithm = "ecdsa"
	case "ecdsa", "rsa":
	default:
		return fault.New(fault.InvalidArguments, `key_algorithm must be "ecdsa" or "rsa", not %q`, cfg.KeyAlgorithm)
	}

	for _, name := range cfg.BlockedNames {
		if name == "" {
			return fault.New(fault.InvalidArguments, "blocked_names has an empty name")
		}
	}

	return cfg.checkExternalAccounts()
}

// checkExternalAccounts exists because Pebble's own error would quote the key.
func (cfg *Config) checkExternalAccounts() error {
	for kid, hmac := range cfg.ExternalAccounts {
		_, err := base64.RawURLEncoding.DecodeString(unpadded(hmac))
		if kid == "" || hmac == "" || err != nil {
			return fault.New(fault.InvalidArguments, "the external account %q needs a key identifier and a base64url HMAC key", kid)
		}
	}

	return nil
}

// unpadded takes off the "=" with which many CAs print a base64url key.
func unpadded(key string) string { return strings.TrimRight(key, "=") }

func parseAddresses(texts []string) ([]netip.Addr, error) {
	addresses := make([]netip.Addr, len(texts))

	for i, text := range texts {
		address, err := netip.ParseAddr(text)
		if err != nil || address.Zone() != "" {
			return nil, fault.New(fault.InvalidArguments, "%q is not an IP address", text)
		}

		addresses[i] = address.Unmap()
	}

	return addresses, nil
}
