package acme

import (
	"context"
	"sync"
	"time"

	"pylego/engine/fault"
	"pylego/engine/transport"
)

// idleTime is how long a connection that nobody uses stays open; tests shorten it.
var idleTime = 60 * time.Second

// maxAge bounds how long an unchanged directory is believed.
const maxAge = time.Hour

// connections keeps a Server between operations: directory, connections, nonces
// and account URLs cost four round trips to get again.
var connections = struct {
	sync.Mutex
	byKey map[string]*connection
}{byKey: map[string]*connection{}}

type connection struct {
	ready  chan struct{} // closed when server or err is set
	server *Server
	err    error
	made   time.Time
	users  int
	idle   *time.Timer
}

// Connect returns the Server of a directory URL, shared with everyone who
// reaches it in the same way. Call done when the operation is over.
func Connect(ctx context.Context, url string, config transport.Config) (server *Server, done func(), err error) {
	transport.Limit(url, config.Limits)
	key := url + " " + config.Fingerprint()
	for {
		c, first := enter(key)
		if first {
			c.server, c.err = dial(ctx, url, config)
			close(c.ready)
		} else if err := c.wait(ctx); err != nil {
			leave(key, c)
			return nil, nil, fault.Interrupted(err, "%s has not answered yet", url)
		}
		if c.err == nil {
			transport.Limit(c.server.Directory.NewOrderURL, config.Limits) // it may be on another host
			return c.server, sync.OnceFunc(func() { leave(key, c) }), nil
		}
		forget(key, c)
		if first {
			return nil, nil, c.err
		}
		// Another job's attempt failed, perhaps by its own deadline: make ours.
	}
}

func (c *connection) wait(ctx context.Context) error {
	select {
	case <-c.ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func enter(key string) (c *connection, first bool) {
	connections.Lock()
	defer connections.Unlock()
	c = connections.byKey[key]
	if c == nil || time.Since(c.made) > maxAge {
		c, first = &connection{ready: make(chan struct{}), made: time.Now()}, true
		connections.byKey[key] = c
	}
	c.users++
	if c.idle != nil {
		c.idle.Stop()
		c.idle = nil
	}
	return c, first
}

func leave(key string, c *connection) {
	connections.Lock()
	defer connections.Unlock()
	if c.users--; c.users > 0 {
		return
	}
	c.idle = time.AfterFunc(idleTime, func() {
		connections.Lock()
		defer connections.Unlock()
		if c.users == 0 {
			remove(key, c)
		}
	})
}

func forget(key string, c *connection) {
	connections.Lock()
	defer connections.Unlock()
	c.users--
	remove(key, c)
}

func remove(key string, c *connection) {
	if connections.byKey[key] == c {
		delete(connections.byKey, key)
	}
	if c.server != nil {
		c.server.client.Close()
	}
}

// CloseIdle drops every connection that no operation uses, at the end of the process's work.
func CloseIdle() {
	connections.Lock()
	defer connections.Unlock()
	for key, c := range connections.byKey {
		if c.users == 0 {
			if c.idle != nil {
				c.idle.Stop()
			}
			remove(key, c)
		}
	}
}
