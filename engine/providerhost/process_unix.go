//go:build unix

package providerhost

import (
	"os"
	"syscall"
)

// ownGroup keeps the host out of the terminal's foreground group, to which
// Ctrl-C is sent, and makes the programs it starts reachable at once.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

// endGroup ends this host with the programs that its provider has started: the
// engine has gone, which would have done so.
func endGroup() {
	if pid := os.Getpid(); syscall.Getpgrp() == pid {
		killGroup(pid)
	}
}
