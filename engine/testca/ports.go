package testca

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync"

	"pylego/engine/fault"
)

// Ports told to callers come from below every system's ephemeral range (which
// begins at 32768 on Linux): one from inside it may have become the local end
// of an outgoing connection by the time a responder wants to listen on it.
const (
	lowestPort  = 15000
	highestPort = 32000
)

var reservations = struct {
	sync.Mutex
	ports map[int]bool
}{ports: map[int]bool{}}

// reservePort finds a port that is free now and that no other server of this
// process was told. Nothing listens on it: that is for the caller's responder.
func reservePort() (int, error) {
	reservations.Lock()
	defer reservations.Unlock()

	var last error

	for range 200 {
		port := lowestPort + rand.IntN(highestPort-lowestPort)
		if reservations.ports[port] {
			continue
		}

		listener, err := net.Listen("tcp", net.JoinHostPort(loopback, strconv.Itoa(port)))
		if err != nil {
			last = err
			continue
		}

		if last = listener.Close(); last == nil {
			reservations.ports[port] = true
			return port, nil
		}
	}

	return 0, fault.Wrap(fault.NetworkError, last, "no free port on %s for the test CA", loopback)
}

func releasePorts(ports []int) {
	reservations.Lock()
	defer reservations.Unlock()

	for _, port := range ports {
		delete(reservations.ports, port)
	}
}
