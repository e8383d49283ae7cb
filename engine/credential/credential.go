// Package credential tells by a variable's name whether its value is a secret: the
// catalogue says it of each variable of a provider's, and the engine shows no such
// value, also not of variables that only a vendor's library or a script reads.
package credential

import (
	"slices"
	"strings"
)

// Words are what variables are called that hold credentials.
var Words = []string{
	"KEY", "TOKEN", "SECRET", "PASS", "PWD", "HMAC", "AUTH", "CREDENTIAL", "PRIVATE",
	"SESSION", "COOKIE", "OTP", "SIGNATURE", "SERVICE_ACCOUNT",
}

// Harmless are ends of names that have such a word and hold what is beside a
// credential: where and whose it is, of which kind, and for how long.
var Harmless = []string{
	"_FILE", "_PATH", "_LOCATION", "_URL", "_ENDPOINT",
	"_AUTH_ID", "_AUTH_USER_ID", "_CREDENTIAL_ID", "_CREDENTIAL_NAME", "_FINGERPRINT",
	"_IMPERSONATE_SERVICE_ACCOUNT", // an address
	"_TSIG_KEY",                    // the key's name
	"_AUTH_METHOD", "_AUTH_REGION", "_AUTH_TYPE", "_PRIVATE_ZONE",
	"_INTERVAL", "_TIMEOUT", "_TTL",
}

// Named reports whether a variable of that name holds a credential.
func Named(name string) bool {
	name = strings.ToUpper(name)
	return slices.ContainsFunc(Words, func(word string) bool { return strings.Contains(name, word) }) &&
		!slices.ContainsFunc(Harmless, func(end string) bool { return strings.HasSuffix(name, end) })
}

// InFile reports whether a variable of that name says which file holds a credential:
// lego takes each of its variables as NAME_FILE, too, and some are a path themselves.
func InFile(name string) bool {
	name = strings.ToUpper(name)
	for _, end := range []string{"_LOCATION", "_PATH", "_FILE"} {
		if inner, is := strings.CutSuffix(name, end); is && (Named(inner) || InFile(inner)) {
			return true
		}
	}
	return false
}
