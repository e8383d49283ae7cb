package testca

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"pylego/engine/fault"
)

// records is what was told about one name.
type records struct {
	txt      []string
	a, aaaa  *[]netip.Addr // nil: the default addresses
	cname    string
	caa      []CAA
	servfail int // so many answers; negative: all
	nxdomain bool
	delay    time.Duration
}

// CAA is one record of RFC 8659.
type CAA struct {
	Flag  uint8  `json:"flag"`
	Tag   string `json:"tag"`
	Value string `json:"value"`
}

// Action is what was done with a TXT value.
type Action string

// The actions of a Change.
const (
	Presented Action = "presented"
	CleanedUp Action = "cleaned_up"
)

// Change is one entry of the log: a TXT value presented or cleaned up, through
// the httpreq endpoint or AddTXT and RemoveTXT.
type Change struct {
	Action Action `json:"action"`
	Name   string `json:"name"` // in lower case, without the final dot
	Value  string `json:"value"`
}

// AddTXT presents a value beside those that are there.
func (d *DNS) AddTXT(name, value string) {
	d.change(name, func(r *records) {
		if !slices.Contains(r.txt, value) {
			r.txt = append(r.txt, value)
		}

		d.log = append(d.log, Change{Presented, canonical(name), value})
	})
}

// RemoveTXT cleans up a value; that it was not there is no error.
func (d *DNS) RemoveTXT(name, value string) {
	d.change(name, func(r *records) {
		r.txt = slices.DeleteFunc(r.txt, func(present string) bool { return present == value })
		d.log = append(d.log, Change{CleanedUp, canonical(name), value})
	})
}

// SetTXT replaces all values; with none the name has no TXT record. It is not
// logged: nobody presented anything.
func (d *DNS) SetTXT(name string, values ...string) {
	d.change(name, func(r *records) { r.txt = slices.Clone(values) })
}

// SetA replaces the IPv4 addresses; with none the name has none.
func (d *DNS) SetA(name string, addresses ...string) error {
	parsed, err := parseFamily(addresses, netip.Addr.Is4, "IPv4")
	if err == nil {
		d.change(name, func(r *records) { r.a = &parsed })
	}

	return err
}

// SetAAAA replaces the IPv6 addresses; with none the name has none.
func (d *DNS) SetAAAA(name string, addresses ...string) error {
	parsed, err := parseFamily(addresses, netip.Addr.Is6, "IPv6")
	if err == nil {
		d.change(name, func(r *records) { r.aaaa = &parsed })
	}

	return err
}

func parseFamily(texts []string, family func(netip.Addr) bool, called string) ([]netip.Addr, error) {
	parsed, err := parseAddresses(texts)
	if err != nil {
		return nil, err
	}

	for _, address := range parsed {
		if !family(address) {
			return nil, fault.New(fault.InvalidArguments, "%s is not an %s address", address, called)
		}
	}

	return parsed, nil
}

// SetCNAME makes the name an alias, whatever else it has; "" ends that.
func (d *DNS) SetCNAME(name, target string) {
	d.change(name, func(r *records) { r.cname = canonical(target) })
}

// SetCAA replaces the CAA records.
func (d *DNS) SetCAA(name string, caa ...CAA) {
	d.change(name, func(r *records) { r.caa = slices.Clone(caa) })
}

// SetServfail answers the next so many queries for the name with SERVFAIL; -1: all.
// The CA asks three times for each validation.
func (d *DNS) SetServfail(name string, answers int) {
	d.change(name, func(r *records) { r.servfail = answers })
}

// SetNXDomain says that there is no such name.
func (d *DNS) SetNXDomain(name string, missing bool) {
	d.change(name, func(r *records) { r.nxdomain = missing })
}

// SetDelay delays every answer about the name, or with "" about all names.
func (d *DNS) SetDelay(name string, delay time.Duration) {
	d.change(name, func(r *records) { r.delay = max(delay, 0) })
}

// SetZone makes the name the apex of a zone.
func (d *DNS) SetZone(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()

	d.zones[canonical(name)] = true
}

// Clear forgets everything told about these names or, with none, about all
// names and zones, and the log: as after Start.
func (d *DNS) Clear(names ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()

	if len(names) == 0 {
		d.names, d.zones, d.log = map[string]*records{}, map[string]bool{}, nil
	}

	for _, name := range names {
		delete(d.names, canonical(name))
		delete(d.zones, canonical(name))
	}
}

// Records has the TXT values that are there now, by name.
func (d *DNS) Records() map[string][]string {
	d.mu.Lock()
	defer d.mu.Unlock()

	present := map[string][]string{}

	for name, known := range d.names {
		if len(known.txt) > 0 {
			present[name] = slices.Clone(known.txt)
		}
	}

	return present
}

// Log has every value presented and cleaned up, in order.
func (d *DNS) Log() []Change {
	d.mu.Lock()
	defer d.mu.Unlock()

	return append([]Change{}, d.log...) // never nil: it is an array in JSON
}

func (d *DNS) change(name string, how func(*records)) {
	d.mu.Lock()
	defer d.mu.Unlock()

	key := canonical(name)
	if d.names[key] == nil {
		d.names[key] = &records{}
	}

	how(d.names[key])
}

func (d *DNS) delayOf(name string) (delay time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()

	for _, key := range []string{"", name} {
		if known := d.names[key]; known != nil {
			delay = max(delay, known.delay)
		}
	}

	return delay
}

// takeServfail uses up one of the answers that are to fail.
func (r *records) takeServfail() bool {
	if r == nil || r.servfail == 0 {
		return false
	}

	if r.servfail > 0 {
		r.servfail--
	}

	return true
}

func canonical(name string) string {
	return strings.ToLower(strings.TrimSuffix(name, "."))
}
