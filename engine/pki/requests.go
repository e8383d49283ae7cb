package pki

import (
	"crypto"
	"crypto/x509"
	"net"
	"strings"
	"unicode"

	"github.com/go-acme/lego/v5/acme"
	"github.com/go-acme/lego/v5/certcrypto"
	"golang.org/x/net/idna"

	"pylego/engine/fault"
)

// ParseCSR reads a PEM certificate request and checks its signature and names.
func ParseCSR(text string) (*x509.CertificateRequest, error) {
	request, err := certcrypto.PemDecodeTox509CSR([]byte(text))
	if err != nil {
		return nil, fault.Wrap(fault.InvalidCSR, err, "the certificate request is not a PEM CSR that can be read")
	}
	if err := request.CheckSignature(); err != nil {
		return nil, fault.Wrap(fault.InvalidCSR, err, "the certificate request is not signed by its own key")
	}
	if len(certcrypto.ExtractDomainsCSR(request)) == 0 {
		return nil, fault.New(fault.InvalidCSR, "the certificate request names nothing: it has neither a subject alternative name nor a common name")
	}
	return request, nil
}

// longestCommonName is X.520's limit (RFC 5280 appendix A.1); as lego does, a longer
// name stays an alternative name only.
const longestCommonName = 64

// CreateCSR makes a certificate request for identifiers, the first of them
// first, which is the common name if there is to be one: RFC 8555 section 7.4 needs
// none, and CAs have dropped it. mustStaple asks for the extension of RFC 7633.
func CreateCSR(key crypto.Signer, identifiers []acme.Identifier, commonName, mustStaple bool) (*x509.CertificateRequest, error) {
	names := make([]string, len(identifiers))
	for i, identifier := range identifiers {
		names[i] = identifier.Value
	}
	options := certcrypto.CSROptions{SAN: names, MustStaple: mustStaple}
	if commonName && len(names[0]) <= longestCommonName {
		options.Domain = names[0]
	}
	der, err := certcrypto.CreateCSR(key, options)
	if err != nil {
		return nil, fault.Wrap(fault.InvalidCSR, err, "cannot make a certificate request")
	}
	return x509.ParseCertificateRequest(der)
}

// Identifiers are what a certificate request asks for, common name first, as lego orders them.
func Identifiers(request *x509.CertificateRequest) ([]acme.Identifier, error) {
	return IdentifiersOf(certcrypto.ExtractDomainsCSR(request))
}

// IdentifiersOf gives each name its type: dns (RFC 8555) or ip (RFC 8738).
func IdentifiersOf(names []string) ([]acme.Identifier, error) {
	identifiers := make([]acme.Identifier, 0, len(names))
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		identifier, err := identifierOf(name)
		if err != nil {
			return nil, err
		}
		if !seen[identifier.Value] {
			seen[identifier.Value] = true
			identifiers = append(identifiers, identifier)
		}
	}
	return identifiers, nil
}

func identifierOf(name string) (acme.Identifier, error) {
	if ip := net.ParseIP(name); ip != nil {
		return acme.Identifier{Type: "ip", Value: ip.String()}, nil
	}
	lower, err := asciiName(strings.TrimSuffix(name, "."))
	if err != nil {
		return acme.Identifier{}, fault.New(fault.InvalidArguments, "%q is not a name that a certificate can hold: %v", name, err)
	}
	if err := checkName(strings.TrimPrefix(lower, "*.")); err != "" {
		return acme.Identifier{}, fault.New(fault.InvalidArguments, "%q is not a name that a certificate can hold: %s", name, err)
	}
	return acme.Identifier{Type: "dns", Value: lower}, nil
}

// asciiName makes A-labels of an internationalised name (RFC 5890), whose letters
// it maps as browsers do (RFC 5895, UTS 46).
func asciiName(name string) (string, error) {
	if strings.IndexFunc(name, func(r rune) bool { return r > unicode.MaxASCII }) < 0 {
		return strings.ToLower(name), nil
	}
	rest, wildcard := strings.CutPrefix(name, "*.")
	ascii, err := idna.Lookup.ToASCII(rest)
	if wildcard {
		ascii = "*." + ascii
	}
	return ascii, err
}

// checkName keeps what no CA can accept from the network (RFC 1035 section 2.3.1, RFC 5890 A-labels).
func checkName(name string) string {
	switch {
	case name == "":
		return "it is empty"
	case net.ParseIP(name) != nil: // the request would have it as an address, the order as a name
		return "an address has neither a dot at its end nor a wildcard"
	case len(name) > 253:
		return "it has more than 253 characters"
	}
	for label := range strings.SplitSeq(name, ".") {
		switch {
		case label == "":
			return "a label is empty"
		case len(label) > 63:
			return "a label has more than 63 characters"
		case strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-"):
			return "a label begins or ends with a hyphen"
		}
		for _, r := range label {
			if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' {
				return "it has a character that is neither letter, digit nor hyphen"
			}
		}
	}
	return ""
}
