//go:build unix

package dnssolver

import (
	"errors"
	"syscall"
)

// unreachable is an address family that this machine has no route for: most
// name servers have an IPv6 address, many machines have none.
func unreachable(err error) bool {
	return errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EADDRNOTAVAIL) ||
		errors.Is(err, syscall.EAFNOSUPPORT) || errors.Is(err, syscall.EHOSTUNREACH)
}
