//go:build unix

package child

import (
	"os"
	"os/signal"
	"syscall"
)

// DropSignals catches what a terminal or a service manager sends to the whole
// tree of processes: we must live to clean up, and our parent ends us. Notify
// rather than Ignore: ignoring is inherited by the programs that we start.
// SIGPIPE would end us for printing after the parent's end, with an exit code
// that is none of ours.
func DropSignals() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
}
