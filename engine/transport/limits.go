package transport

import (
	"math"
	"net"
	"strings"
	"time"

	"pylego/engine/fault"
)

const (
	inFlight = 32
	// NewNonceInFlight bounds the newNonce requests to one host.
	NewNonceInFlight = 4
)

// Limits bound what this process asks of one CA. Zero leaves a limit as it is:
// the CA's own, at first; NoLimit ends it.
type Limits struct {
	NewOrders         Frequency `json:"new_orders,omitzero"`
	RequestsPerSecond float64   `json:"requests_per_second,omitempty"`
	RequestsInFlight  int       `json:"requests_in_flight,omitempty"`
	OrdersInFlight    int       `json:"orders_in_flight,omitempty"`
}

// Frequency is so many in any period of so many seconds.
type Frequency struct {
	Count   int     `json:"count"`
	Seconds float64 `json:"seconds"`
}

func (f Frequency) period() time.Duration { return time.Duration(f.Seconds * float64(time.Second)) }

// NoLimit is the number that is none.
const NoLimit = -1

// maxCount bounds what is remembered of a frequency: one moment each.
const maxCount = 1_000_000

func (l Limits) check() error {
	orders := l.NewOrders
	if orders != (Frequency{}) && orders.Count != NoLimit {
		if orders.Count < 1 || orders.Count > maxCount || !(orders.Seconds > 0) || orders.Seconds > (24*time.Hour).Seconds() {
			return fault.New(fault.InvalidArguments, "new_orders=(%d, %g) is no limit: allowed are 1 to %d orders in up to a day's seconds", orders.Count, orders.Seconds, maxCount)
		}
	}
	if rate := l.RequestsPerSecond; math.IsNaN(rate) || rate != 0 && rate != NoLimit && rate < 0.001 {
		return fault.New(fault.InvalidArguments, "requests_per_second=%g is no limit: allowed is 0.001 and more", rate)
	}
	if l.RequestsInFlight < NoLimit {
		return fault.New(fault.InvalidArguments, "requests_in_flight=%d is no limit: allowed is 1 and more", l.RequestsInFlight)
	}
	if l.OrdersInFlight < NoLimit {
		return fault.New(fault.InvalidArguments, "orders_in_flight=%d is no limit: allowed is 1 and more", l.OrdersInFlight)
	}
	return nil
}

// ofPublicCAs are what the public CAs publish, as lego and certmagic note it. A CA
// that is not named here is private and sets its own pace by answering 429.
var ofPublicCAs = map[string]Limits{
	"letsencrypt.org": {RequestsPerSecond: 18, NewOrders: Frequency{10, 10}},
	"zerossl.com":     {RequestsPerSecond: 7},
}

// LimitsOf are those that hold for a CA as long as nobody says otherwise, by its directory's URL.
func LimitsOf(directory string) Limits { return limitsOf(host(directory)) }

// limitsOf are a host's own limits.
func limitsOf(host string) Limits {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	limits := Limits{}
	for suffix, known := range ofPublicCAs {
		if name == suffix || strings.HasSuffix(name, "."+suffix) {
			limits = known
		}
	}
	limits.RequestsInFlight = inFlight
	return limits
}
