//go:build unix

package responder

import (
	"net"
	"syscall"
)

// hangUp ends the listening itself: to close a descriptor is not enough where a
// process that was forked meanwhile holds a copy of it.
func hangUp(listener net.Listener) {
	socket, ok := listener.(*net.TCPListener)
	if !ok {
		return
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return // closed already
	}
	_ = raw.Control(func(descriptor uintptr) { _ = syscall.Shutdown(int(descriptor), syscall.SHUT_RDWR) })
}
