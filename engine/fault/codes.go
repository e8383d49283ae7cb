package fault

// Code names one kind of failure of the engine itself. What a CA answers is a
// problem document (RFC 7807) and keeps the CA's own type.
type Code string

// The codes up to MarshalingFailed are those of pylego 0.1, which programs in
// the field compare with; those after it are new.
const (
	InvalidArguments          Code = "invalid_arguments"
	InvalidEnvironment        Code = "invalid_environment"
	CertificateRequestFailed  Code = "certificate_request_failed"
	InvalidPrivateKey         Code = "invalid_private_key"
	KeyGenerationFailed       Code = "key_generation_failed"
	LegoClientCreationFailed  Code = "lego_client_creation_failed"
	DNSProviderFailed         Code = "dns_provider_failed"
	AccountRegistrationFailed Code = "account_registration_failed"
	InvalidCSR                Code = "invalid_csr"
	CertificateObtainFailed   Code = "certificate_obtain_failed"
	NetworkError              Code = "network_error"
	MarshalingFailed          Code = "marshaling_failed"

	ChallengeFailed    Code = "challenge_failed"
	UnknownProvider    Code = "unknown_provider"
	MissingCredentials Code = "missing_credentials"
	PropagationTimeout Code = "propagation_timeout"
	DeadlineExceeded   Code = "deadline_exceeded"
	Cancelled          Code = "cancelled"
	EngineError        Code = "engine_error"
	TermsNotAccepted   Code = "terms_not_accepted"
	SolverFailed       Code = "solver_failed"
	OrderNotKept       Code = "order_not_kept"
)

// Entry is one row of Table.
type Entry struct {
	Code      Code   `json:"code"`
	Phase     string `json:"phase"`     // the part of the work that failed
	Retryable bool   `json:"retryable"` // whether the same call may succeed later
}

// Table is the only list of codes. Python's exceptions are checked against it.
var Table = []Entry{
	{InvalidArguments, "request", false},
	{InvalidEnvironment, "request", false},
	{InvalidPrivateKey, "request", false},
	{InvalidCSR, "request", false},
	{KeyGenerationFailed, "key", false},
	{LegoClientCreationFailed, "directory", false},
	{AccountRegistrationFailed, "account", false},
	{CertificateRequestFailed, "order", false},
	{CertificateObtainFailed, "order", true},
	{ChallengeFailed, "challenge", true},
	{DNSProviderFailed, "challenge", true},
	{UnknownProvider, "request", false},
	{MissingCredentials, "request", false},
	{PropagationTimeout, "challenge", true},
	{NetworkError, "network", true},
	{DeadlineExceeded, "deadline", true},
	{Cancelled, "cancelled", true},
	{MarshalingFailed, "engine", false},
	{EngineError, "engine", false},
	{TermsNotAccepted, "account", false},
	{SolverFailed, "challenge", true},
	{OrderNotKept, "order", true},
}

// Lookup finds the row of a code; an unknown code is an engine error.
func Lookup(code Code) Entry {
	for _, entry := range Table {
		if entry.Code == code {
			return entry
		}
	}
	return Entry{code, "engine", false}
}
