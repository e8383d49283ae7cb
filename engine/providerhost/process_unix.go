//go:build unix

package providerhost

import "syscall"

// ownGroup keeps the host out of the terminal's foreground group, to which
// Ctrl-C is sent, and makes the programs it starts reachable at once.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }
