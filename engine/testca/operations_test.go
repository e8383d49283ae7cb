package testca

import (
	"encoding/json"
	"errors"
	"testing"

	"pylego/engine/fault"
	"pylego/engine/report"
)

func TestOperationsFromStartToStop(t *testing.T) {
	ctx := t.Context()

	started, err := StartServer(ctx, Config{}, report.Discard)
	if err != nil {
		t.Fatal(err)
	}

	id := started.ServerID

	var changes DNSChanges

	message := `{"add_txt": {"a.example": ["one"]}, "set_cname": {"b.example": "a.example"},
		"set_a": {"c.example": ["127.0.0.2"]}, "set_servfail": {"d.example": -1}, "set_delay_ms": {"": 0}}`
	if err := json.Unmarshal([]byte(message), &changes); err != nil {
		t.Fatal(err)
	}

	changes.ServerID = id

	state, err := ConfigureDNS(ctx, changes, report.Discard)
	if err != nil || len(state.Records["a.example"]) != 1 {
		t.Errorf("%+v, %v", state, err)
	}

	if _, err := SetServerFaults(ctx, FaultsInput{id, Faults{Drop: 1}}, report.Discard); err != nil {
		t.Error(err)
	}

	if counts, err := ServerRequests(ctx, id, report.Discard); err != nil || len(counts.Requests) != 0 {
		t.Errorf("%v, %v", counts, err)
	}

	if counts, err := ServerAuthorizations(ctx, id, report.Discard); err != nil || len(counts.Authorizations) != 0 {
		t.Errorf("%v, %v", counts, err)
	}

	state, err = DNSRecords(ctx, id, report.Discard)
	if err != nil || len(state.Log) != 1 || state.Log[0] != (Change{Presented, "a.example", "one"}) {
		t.Errorf("%+v, %v", state, err)
	}

	again, err := RestartServer(ctx, id, report.Discard)
	if err != nil || again.Directory != started.Directory || again.TrustRoot != started.TrustRoot || again.Roots[0] == started.Roots[0] {
		t.Errorf("%+v, %v", again, err)
	}

	if _, err := SetRenewalInfo(ctx, RenewalInfo{id, again.TrustRoot, "{}"}, report.Discard); err == nil {
		t.Error("this is no certificate that it has issued")
	}

	if _, err := StopServer(ctx, id, report.Discard); err != nil {
		t.Error(err)
	}

	var gone *fault.Error
	if _, err := DNSRecords(ctx, id, report.Discard); !errors.As(err, &gone) || gone.Code != fault.InvalidArguments {
		t.Errorf("a stopped server: %v", err)
	}
}

func TestAWrongAddressIsAnInvalidArgument(t *testing.T) {
	server := start(t, Config{})
	for _, changes := range []DNSChanges{
		{SetA: map[string][]string{"a.example": {"::1"}}},
		{SetAAAA: map[string][]string{"a.example": {"127.0.0.1"}}},
		{SetA: map[string][]string{"a.example": {"a.example"}}},
	} {
		var refused *fault.Error
		if err := changes.apply(server.DNS()); !errors.As(err, &refused) || refused.Code != fault.InvalidArguments {
			t.Errorf("%+v: %v", changes, err)
		}
	}
}

func TestResultsAreFlatJSON(t *testing.T) {
	t.Parallel()

	content, err := json.Marshal(ServerInfo{ServerID{"testca-1"}, Info{Directory: "https://127.0.0.1:1/dir"}})
	if err != nil {
		t.Fatal(err)
	}

	var fields map[string]any
	if err := json.Unmarshal(content, &fields); err != nil || fields["id"] != "testca-1" || fields["directory"] != "https://127.0.0.1:1/dir" {
		t.Errorf("%s", content)
	}
}
