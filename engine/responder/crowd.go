package responder

import (
	"net"
	"slices"
	"sync"
)

// crowd is a listener that keeps at most so many connections. To wait for a free
// place, as netutil.LimitListener does, would lock the CA out for as long as
// strangers care to stay: one more connection drops the oldest of whoever holds
// the most, so that a flood from one place pushes out nothing but itself.
type crowd struct {
	net.Listener
	most func() int

	mu   sync.Mutex
	open []*guest // in the order of their coming
}

// guest is one connection of a crowd.
type guest struct {
	net.Conn
	crowd *crowd
	place string
}

func (c *crowd) Accept() (net.Conn, error) {
	connection, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	g := &guest{Conn: connection, crowd: c, place: placeOf(connection.RemoteAddr())}
	if dropped := c.enter(g); dropped != nil {
		dropped.drop()
	}
	return g, nil
}

// enter returns who has to go, if anybody.
func (c *crowd) enter(g *guest) (dropped *guest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = append(c.open, g)
	if len(c.open) <= c.most() {
		return nil
	}
	held := map[string]int{}
	for _, other := range c.open {
		held[other.place]++
	}
	largest := 0
	for _, count := range held {
		largest = max(largest, count)
	}
	oldest := slices.IndexFunc(c.open, func(other *guest) bool { return held[other.place] == largest })
	dropped = c.open[oldest]
	c.open = slices.Delete(c.open, oldest, oldest+1)
	return dropped
}

func (g *guest) Close() error {
	g.crowd.mu.Lock()
	if i := slices.Index(g.crowd.open, g); i >= 0 {
		g.crowd.open = slices.Delete(g.crowd.open, i, i+1)
	}
	g.crowd.mu.Unlock()
	return g.Conn.Close()
}

// drop closes with a reset: an orderly end would keep thousands of sockets in the
// system for a minute, for peers that are in no hurry to answer it.
func (g *guest) drop() {
	if socket, ok := g.Conn.(*net.TCPConn); ok {
		_ = socket.SetLinger(0)
	}
	_ = g.Conn.Close()
}

// placeOf is what one stranger holds: an IPv4 address, or an IPv6 network of 64 bits.
func placeOf(address net.Addr) string {
	socket, ok := address.(*net.TCPAddr)
	if !ok {
		return address.String()
	}
	if ip := socket.IP.To4(); ip != nil {
		return ip.String()
	}
	return socket.IP.Mask(net.CIDRMask(64, 128)).String()
}
