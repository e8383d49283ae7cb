package bridge

import (
	"context"
	"encoding/json"

	"pylego/engine/account"
	"pylego/engine/dnssolver"
	"pylego/engine/dropin"
	"pylego/engine/fault"
	"pylego/engine/issuance"
	"pylego/engine/report"
	"pylego/engine/testca"
)

// Table is what an engine can do, by name.
type Table map[string]Operation

// Operation is a typed function behind JSON.
type Operation struct {
	run func(ctx context.Context, input json.RawMessage, reporter report.Reporter) (any, error)
}

// Operations is the engine's table; Python's operations are checked against it.
var Operations = Table{
	"authorities":        operation(account.Authorities),
	"directory":          operation(account.ReadDirectory),
	"register":           operation(account.Register),
	"recover":            operation(account.Recover),
	"update_account":     operation(account.Update),
	"rollover":           operation(account.Rollover),
	"deactivate_account": operation(account.Deactivate),

	"obtain":                    operation(issuance.Obtain),
	"renew":                     operation(issuance.Renew),
	"renewal_info":              operation(issuance.ReadRenewalInfo),
	"revoke":                    operation(issuance.Revoke),
	"deactivate_authorizations": operation(issuance.DeactivateAuthorizations),

	"examine_names": operation(dnssolver.ExamineNames),

	"certificate_load":      operation(issuance.Load),
	"describe_certificates": operation(issuance.Describe),
	"csr_load":              operation(issuance.LoadRequest),
	"generate_key":          operation(issuance.GenerateKey),
	"check_key":             operation(issuance.CheckKey),
	"pkcs12":                operation(issuance.Pack),

	"verify_record": operation(issuance.VerifyRecord),

	"run_lego_command": operation(dropin.Run),

	"testca_start":          operation(testca.StartServer),
	"testca_stop":           operation(testca.StopServer),
	"testca_restart":        operation(testca.RestartServer),
	"testca_renewal_info":   operation(testca.SetRenewalInfo),
	"testca_dns":            operation(testca.ConfigureDNS),
	"testca_records":        operation(testca.DNSRecords),
	"testca_faults":         operation(testca.SetServerFaults),
	"testca_requests":       operation(testca.ServerRequests),
	"testca_authorizations": operation(testca.ServerAuthorizations),

	"statistics": operation(statistics),
}

// The contract lists the table itself, so it can only join it afterwards.
func init() { Operations["contract"] = operation(Operations.describe) }

func operation[In, Out any](run func(context.Context, In, report.Reporter) (Out, error)) Operation {
	return Operation{func(ctx context.Context, input json.RawMessage, reporter report.Reporter) (any, error) {
		var in In
		if err := json.Unmarshal(input, &in); err != nil {
			return nil, fault.New(fault.InvalidArguments, "the operation's input does not fit: %v", err)
		}
		return run(ctx, in, reporter)
	}}
}
