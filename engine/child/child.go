// Package child is what a process of ours owes the one that started it: `lego
// provider` its engine, and `lego serve` its Python. It outlives what a terminal
// or a service manager does to the whole tree, since somebody must clean up, but
// never its parent.
package child

import (
	"os"
	"time"
)

// Orphaned is closed soon after the parent has gone. It polls: no system but
// Linux tells a process of its parent's end, and Linux tells it when the parent's
// thread ends. End-of-file does not come while a forked process holds the pipe.
func Orphaned() <-chan struct{} {
	parent, orphaned := os.Getppid(), make(chan struct{})
	go func() {
		for range time.Tick(500 * time.Millisecond) {
			if os.Getppid() != parent {
				close(orphaned)
				return
			}
		}
	}()
	return orphaned
}

// Of reports whether that process is still our parent. One in an outer PID
// namespace is seen as 0.
func Of(parent int) bool {
	now := os.Getppid()
	return now == parent || now == 0
}
