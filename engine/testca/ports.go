package testca

import (
	"math/rand/v2"
	"net"
	"strconv"

	"pylego/engine/fault"
)

// Ports told to callers come from below every system's ephemeral range (which
// begins at 32768 on Linux): one from inside it may have become the local end
// of an outgoing connection by the time a responder wants to listen on it.
const (
	lowestPort  = 15000
	highestPort = 32000
)

// reservation is a port that callers were told. Nothing listens on it: that is for the
// caller's responder.
type reservation struct {
	port int
	// mark holds the UDP port of the same number, which no responder minds, so that no
	// other server is told the port: of this process, or of another worker of pytest-xdist's.
	mark net.PacketConn
}

func reservePort() (reservation, error) {
	var last error

	for range 200 {
		reserved, err := reserve(lowestPort + rand.IntN(highestPort-lowestPort))
		if err == nil {
			return reserved, nil
		}

		last = err
	}

	return reservation{}, fault.Wrap(fault.NetworkError, last, "no free port on %s for the test CA", loopback)
}

// reserve takes a port that is free now.
func reserve(port int) (reservation, error) {
	address := net.JoinHostPort(loopback, strconv.Itoa(port))

	mark, err := net.ListenPacket("udp", address)
	if err != nil {
		return reservation{}, err
	}

	listener, err := net.Listen("tcp", address)
	if err == nil {
		err = listener.Close()
	}

	if err != nil {
		_ = mark.Close()
		return reservation{}, err
	}

	return reservation{port, mark}, nil
}
