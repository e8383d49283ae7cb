//go:build unix

package child

import (
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
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

// EndTogether has nothing to do: what a process here has started, its group tells.
func EndTogether() error { return nil }

// Orphaned is closed soon after that parent has gone, which may be before we could
// look. It polls: no system but Linux tells a process of its parent's end, and Linux
// tells it when the parent's thread ends. End-of-file does not come while a forked
// process holds the pipe.
func Orphaned(parent int) <-chan struct{} {
	orphaned := make(chan struct{})
	go func() {
		for Of(parent) {
			time.Sleep(500 * time.Millisecond)
		}
		close(orphaned)
	}()
	return orphaned
}

// Of reports whether that process is still our parent. One in an outer PID
// namespace is seen as 0.
func Of(parent int) bool {
	now := os.Getppid()
	return now == parent || now == 0
}
