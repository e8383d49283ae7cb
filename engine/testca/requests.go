package testca

import "strings"

// Where Pebble gives nonces and certificates.
const (
	noncePath       = "/nonce-plz"
	certificatePath = "/certZ/"
)

// kinds are Pebble's paths, which it makes up on purpose, in the terms of RFC
// 8555 (section 7.1) and RFC 9773 (renewalInfo). A path that ends in "/" is
// followed by the object's identifier.
var kinds = []struct{ path, kind string }{
	{"/dir", "directory"},
	{noncePath, "newNonce"},
	{"/sign-me-up", "newAccount"},
	{"/my-account/", "account"},
	{"/list-orderz/", "orders"},
	{"/rollover-account-key", "keyChange"},
	{"/order-plz", "newOrder"},
	{"/my-order/", "order"},
	{"/authZ/", "authorization"},
	{"/chalZ/", "challenge"},
	{"/finalize-order/", "finalize"},
	{certificatePath, "certificate"},
	{"/revoke-cert", "revokeCert"},
	{"/draft-ietf-acme-ari-03/renewalInfo/", "renewalInfo"},
}

func kindOf(path string) string {
	for _, entry := range kinds {
		if path == entry.path || strings.HasSuffix(entry.path, "/") && strings.HasPrefix(path, entry.path) {
			return entry.kind
		}
	}

	return "other"
}

func isKind(name string) bool {
	for _, entry := range kinds {
		if name == entry.kind {
			return true
		}
	}

	return name == "other"
}
