// A TCP proxy on loopback that makes a server far away: every byte takes its
// time in each direction, and so does the connection's own handshake.
package main

import (
	"flag"
	"log"
	"net"
	"time"
)

// inTransit bounds the chunks under way in one direction.
const inTransit = 4096

type chunk struct {
	data []byte
	due  time.Time
}

func main() {
	listen := flag.String("listen", "", "host:port to listen on")
	target := flag.String("target", "", "host:port to pass connections on to")
	oneWay := flag.Duration("one-way", 25*time.Millisecond, "the delay in each direction")
	flag.Parse()
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	for {
		client, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			server, err := net.Dial("tcp", *target)
			if err != nil {
				_ = client.Close()
				return
			}
			// The handshake with us took no time; one with a far server takes a
			// round trip before the client may send.
			go pass(client, server, time.Now().Add(2**oneWay), *oneWay)
			go pass(server, client, time.Now(), *oneWay)
		}()
	}
}

// pass copies, each chunk so much later than it came.
func pass(from, to net.Conn, open time.Time, oneWay time.Duration) {
	under := make(chan chunk, inTransit)
	go func() {
		defer close(under)
		for {
			buffer := make([]byte, 16<<10)
			n, err := from.Read(buffer)
			if n > 0 {
				due := time.Now()
				if due.Before(open) {
					due = open
				}
				under <- chunk{buffer[:n], due.Add(oneWay)}
			}
			if err != nil {
				return
			}
		}
	}()
	for c := range under {
		time.Sleep(time.Until(c.due))
		if _, err := to.Write(c.data); err != nil {
			break
		}
	}
	_ = to.Close()
	_ = from.Close()
	for range under { // the reader must not wait for us
	}
}
