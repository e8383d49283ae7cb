//go:build unix

package child

import (
	"os"
	"os/signal"
	"strconv"
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

// CloseInherited closes what the parent has left open for us by mistake: a
// listener of its, held by a process that outlives it, would keep the port. What
// is ours, and Go's own, is closed on exec.
func CloseInherited() {
	for fd, end := 3, highest(); fd < end; fd++ {
		flags, _, failure := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
		if failure == 0 && flags&syscall.FD_CLOEXEC == 0 {
			_ = syscall.Close(fd)
		}
	}
}

// highest is above every descriptor: where the system lists them, or a guess.
func highest() int {
	entries, err := os.ReadDir("/dev/fd")
	if err != nil || len(entries) == 0 {
		return 4096
	}
	last := 0
	for _, entry := range entries {
		if fd, err := strconv.Atoi(entry.Name()); err == nil {
			last = max(last, fd)
		}
	}
	return last + 1
}
