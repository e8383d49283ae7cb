// Package dropin is run_lego_command of pylego 0.1: its message in, its answer
// out, on the engine of today.
package dropin

import (
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"

	"pylego/engine/account"
	"pylego/engine/caller"
	"pylego/engine/dnssolver"
	"pylego/engine/fault"
	"pylego/engine/issuance"
)

// Input is the message as text, with the environment that it runs in.
type Input struct {
	Caller  caller.Caller `json:"caller"`
	Message string        `json:"message"`
}

// arguments is the message of pylego 0.1.
type arguments struct {
	Email              string                     `json:"email"`
	PrivateKey         string                     `json:"private_key"`
	Server             string                     `json:"server"`
	CSR                string                     `json:"csr"`
	Plugin             string                     `json:"plugin"`
	Env                map[string]json.RawMessage `json:"env"`
	DNSPropagationWait float64                    `json:"dns_propagation_wait"`
	DNSNameservers     []string                   `json:"dns_nameservers"`
	EABKid             string                     `json:"eab_kid"`
	EABHmac            string                     `json:"eab_hmac"`
}

// obtain translates a message, before any network.
func (in Input) obtain() (*issuance.ObtainInput, error) {
	var args arguments
	if err := json.Unmarshal([]byte(in.Message), &args); err != nil {
		return nil, unfit(err)
	}
	if args.DNSPropagationWait < 0 {
		return nil, fault.New(fault.InvalidArguments, "dns_propagation_wait cannot be negative")
	}
	if (args.EABKid == "") != (args.EABHmac == "") {
		return nil, fault.New(fault.InvalidArguments, "eab_kid and eab_hmac must both be provided or both omitted")
	}
	variables, err := args.variables()
	if err != nil {
		return nil, err
	}
	here := caller.Caller{Environment: in.Caller.Environment.With(variables), Directory: in.Caller.Directory}
	challenges, err := args.challenges(here.Environment, variables)
	if err != nil {
		return nil, err
	}
	obtain := &issuance.ObtainInput{
		Access: account.Access{
			Caller:  here,
			Server:  account.Server{Directory: args.Server},
			Account: account.Input{Key: args.PrivateKey, Email: args.Email, TermsAgreed: true},
		},
		CSR:        args.CSR,
		Challenges: challenges,
	}
	if args.EABKid != "" {
		obtain.Account.EAB = &account.Binding{KeyID: args.EABKid, HMAC: args.EABHmac}
	}
	if args.CSR == "" {
		return nil, fault.New(fault.InvalidCSR, "the certificate request is empty")
	}
	return obtain, nil
}

// unfit says of an argument of another type which it is, in the words of those who
// know no Go.
func unfit(err error) error {
	var other *json.UnmarshalTypeError
	if !errors.As(err, &other) || other.Field == "" {
		return fault.Wrap(fault.InvalidArguments, err, "the arguments do not fit")
	}
	given, _, _ := strings.Cut(other.Value, " ") // "number 5"
	if other.Field == "dns_nameservers" && other.Type.Kind() == reflect.String {
		return fault.New(fault.InvalidArguments, "the arguments do not fit: %s has %s in it, where text belongs", other.Field, jsonTypes[given])
	}
	return fault.New(fault.InvalidArguments, "the arguments do not fit: %s is %s, and has to be %s", other.Field, jsonTypes[given], goTypes[other.Type.Kind()])
}

var (
	jsonTypes = map[string]string{"string": "text", "number": "a number", "bool": "true or false", "array": "a list", "object": "a mapping"}
	goTypes   = map[reflect.Kind]string{reflect.String: "text", reflect.Float64: "a number", reflect.Slice: "a list", reflect.Map: "a mapping"}
)

// variables checks what 0.1 handed to os.Setenv.
func (a arguments) variables() (map[string]string, error) {
	variables := make(map[string]string, len(a.Env))
	for name, raw := range a.Env {
		var value string
		if err := json.Unmarshal(raw, &value); err != nil || string(raw) == "null" {
			return nil, fault.New(fault.InvalidArguments, "the value of %q in env is not a string", name)
		}
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.ContainsRune(value, 0) {
			return nil, fault.New(fault.InvalidEnvironment, "%q in env cannot be an environment variable: a name is not empty and has no '=', and neither name nor value has a NUL", name)
		}
		variables[name] = value
	}
	return variables, nil
}

// challenges translates plugin. In 0.1 an empty one meant http.
func (a arguments) challenges(environment caller.Environment, variables map[string]string) ([]issuance.Challenge, error) {
	switch a.Plugin {
	case "", "http":
		http, err := listener(environment, "http-01", "HTTP01_IFACE", "HTTP01_PORT", 80)
		if err != nil {
			return nil, err
		}
		tls, err := listener(environment, "tls-alpn-01", "TLSALPN01_IFACE", "TLSALPN01_PORT", 443)
		return []issuance.Challenge{http, tls}, err
	case "tls":
		tls, err := listener(environment, "tls-alpn-01", "TLSALPN01_IFACE", "TLSALPN01_PORT", 443)
		return []issuance.Challenge{tls}, err
	}
	for _, server := range a.DNSNameservers {
		if !dnssolver.IsNameServer(server) {
			return nil, fault.New(fault.InvalidArguments, "%q in dns_nameservers is no name server: allowed are `host` and `host:port`", server)
		}
	}
	return []issuance.Challenge{{Type: "dns-01", DNS: issuance.DNS{
		Provider:  a.Plugin,
		Variables: variables,
		Resolvers: a.DNSNameservers,
		Propagation: issuance.Propagation{
			Wait: a.DNSPropagationWait,
			// Any text counts, as in 0.1: DNS_PROPAGATION_RNS=false switches it on.
			Authoritative: !environment.Set("DNS_PROPAGATION_DISABLE_ANS"),
			Recursive:     environment.Set("DNS_PROPAGATION_RNS"),
		},
	}}}, nil
}

func listener(environment caller.Environment, kind, iface, portName string, port int) (issuance.Challenge, error) {
	if text := environment.Get(portName); text != "" {
		var err error
		if port, err = strconv.Atoi(text); err != nil || port < 1 || port > 65535 {
			return issuance.Challenge{}, fault.New(fault.InvalidEnvironment, "%s=%q is not a port: 1 to 65535", portName, text)
		}
	}
	return issuance.Challenge{Type: kind, Host: environment.Get(iface), Port: port}, nil
}
