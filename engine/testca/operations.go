package testca

import (
	"context"
	"fmt"
	"sync"
	"time"

	"pylego/engine/fault"
	"pylego/engine/report"
)

// The bridge's operations: a server is known by an identifier, because a
// message cannot hold it.

var registry = struct {
	sync.Mutex
	servers map[string]*Server
	last    int
}{servers: map[string]*Server{}}

// ServerID names a server in a request.
type ServerID struct {
	ID string `json:"id"`
}

// ServerInfo is a server that was started.
type ServerInfo struct {
	ServerID
	Info
}

// Done is the result of an operation that has nothing to say.
type Done struct{}

// DNSChanges says what to change in a server's DNS. Clear comes first; the rest
// is by name, and does what the method of that name does.
type DNSChanges struct {
	ServerID

	Clear       bool                `json:"clear"` // everything, and the log
	ClearNames  []string            `json:"clear_names"`
	SetTXT      map[string][]string `json:"set_txt"`
	AddTXT      map[string][]string `json:"add_txt"`
	RemoveTXT   map[string][]string `json:"remove_txt"`
	SetA        map[string][]string `json:"set_a"`
	SetAAAA     map[string][]string `json:"set_aaaa"`
	SetCNAME    map[string]string   `json:"set_cname"`
	SetCAA      map[string][]CAA    `json:"set_caa"`
	SetServfail map[string]int      `json:"set_servfail"`
	SetNXDomain map[string]bool     `json:"set_nxdomain"`
	SetDelayMS  map[string]int      `json:"set_delay_ms"` // the name "": all names
	SetZones    []string            `json:"set_zones"`
}

// DNSState is what a server's DNS holds.
type DNSState struct {
	Records map[string][]string `json:"records"` // the TXT values that are there
	Log     []Change            `json:"log"`     // presented and cleaned up, in order
}

// FaultsInput says which faults a server is to have from now on.
type FaultsInput struct {
	ServerID

	Faults Faults `json:"faults"`
}

// RequestCounts counts a server's requests by kind.
type RequestCounts struct {
	Requests map[string]int `json:"requests"`
}

// AuthorizationCounts counts a server's authorizations by status.
type AuthorizationCounts struct {
	Authorizations map[string]int `json:"authorizations"`
}

// StartServer starts a server that lives until StopServer.
func StartServer(ctx context.Context, in Config, _ report.Reporter) (ServerInfo, error) {
	server, err := Start(ctx, in)
	if err != nil {
		return ServerInfo{}, err
	}

	registry.Lock()
	defer registry.Unlock()

	registry.last++
	id := fmt.Sprintf("testca-%d", registry.last)
	registry.servers[id] = server

	return ServerInfo{ServerID{id}, server.Info()}, nil
}

// StopServer stops a server and forgets it.
func StopServer(_ context.Context, in ServerID, _ report.Reporter) (Done, error) {
	server, err := in.server()
	if err != nil {
		return Done{}, err
	}

	registry.Lock()
	delete(registry.servers, in.ID)
	registry.Unlock()

	return Done{}, server.Close()
}

// RenewalInfo is what a server is to answer about a certificate of its (RFC 9773).
type RenewalInfo struct {
	ServerID

	Certificate string `json:"certificate"` // PEM
	Answer      string `json:"answer"`      // as it is: it need not be JSON
}

// SetRenewalInfo replaces a server's answer about one certificate.
func SetRenewalInfo(_ context.Context, in RenewalInfo, _ report.Reporter) (Done, error) {
	server, err := in.server()
	if err != nil {
		return Done{}, err
	}

	return Done{}, server.SetRenewalInfo(in.Certificate, in.Answer)
}

// RestartServer lets a server lose everything but its addresses.
func RestartServer(_ context.Context, in ServerID, _ report.Reporter) (ServerInfo, error) {
	server, err := in.server()
	if err != nil {
		return ServerInfo{}, err
	}

	if err := server.Restart(); err != nil {
		return ServerInfo{}, err
	}

	return ServerInfo{in, server.Info()}, nil
}

// ConfigureDNS changes a server's DNS and says what it then holds.
func ConfigureDNS(_ context.Context, in DNSChanges, _ report.Reporter) (DNSState, error) {
	server, err := in.server()
	if err != nil {
		return DNSState{}, err
	}

	if err := in.apply(server.DNS()); err != nil {
		return DNSState{}, err
	}

	return stateOf(server.DNS()), nil
}

// DNSRecords says what a server's DNS holds.
func DNSRecords(_ context.Context, in ServerID, _ report.Reporter) (DNSState, error) {
	server, err := in.server()
	if err != nil {
		return DNSState{}, err
	}

	return stateOf(server.DNS()), nil
}

// SetServerFaults replaces a server's faults.
func SetServerFaults(_ context.Context, in FaultsInput, _ report.Reporter) (Done, error) {
	server, err := in.server()
	if err != nil {
		return Done{}, err
	}

	return Done{}, server.SetFaults(in.Faults)
}

// ServerRequests counts a server's requests.
func ServerRequests(_ context.Context, in ServerID, _ report.Reporter) (RequestCounts, error) {
	server, err := in.server()
	if err != nil {
		return RequestCounts{}, err
	}

	return RequestCounts{server.Requests()}, nil
}

// ServerAuthorizations counts a server's authorizations.
func ServerAuthorizations(_ context.Context, in ServerID, _ report.Reporter) (AuthorizationCounts, error) {
	server, err := in.server()
	if err != nil {
		return AuthorizationCounts{}, err
	}

	return AuthorizationCounts{server.Authorizations()}, nil
}

func (id ServerID) server() (*Server, error) {
	registry.Lock()
	defer registry.Unlock()

	server := registry.servers[id.ID]
	if server == nil {
		return nil, fault.New(fault.InvalidArguments, "there is no test CA %q: it was stopped or never started", id.ID)
	}

	return server, nil
}

func stateOf(d *DNS) DNSState { return DNSState{d.Records(), d.Log()} }

func (in *DNSChanges) apply(d *DNS) error {
	if in.Clear {
		d.Clear()
	}

	if len(in.ClearNames) > 0 {
		d.Clear(in.ClearNames...)
	}

	for _, zone := range in.SetZones {
		d.SetZone(zone)
	}

	if err := in.applyAddresses(d); err != nil {
		return err
	}

	in.applyTXT(d)

	for name, target := range in.SetCNAME {
		d.SetCNAME(name, target)
	}

	for name, caa := range in.SetCAA {
		d.SetCAA(name, caa...)
	}

	for name, answers := range in.SetServfail {
		d.SetServfail(name, answers)
	}

	for name, missing := range in.SetNXDomain {
		d.SetNXDomain(name, missing)
	}

	for name, delay := range in.SetDelayMS {
		d.SetDelay(name, time.Duration(delay)*time.Millisecond)
	}

	return nil
}

func (in *DNSChanges) applyAddresses(d *DNS) error {
	for name, addresses := range in.SetA {
		if err := d.SetA(name, addresses...); err != nil {
			return err
		}
	}

	for name, addresses := range in.SetAAAA {
		if err := d.SetAAAA(name, addresses...); err != nil {
			return err
		}
	}

	return nil
}

func (in *DNSChanges) applyTXT(d *DNS) {
	for name, values := range in.SetTXT {
		d.SetTXT(name, values...)
	}

	for name, values := range in.AddTXT {
		for _, value := range values {
			d.AddTXT(name, value)
		}
	}

	for name, values := range in.RemoveTXT {
		for _, value := range values {
			d.RemoveTXT(name, value)
		}
	}
}
