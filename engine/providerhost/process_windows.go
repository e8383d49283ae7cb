package providerhost

import (
	"syscall"

	"golang.org/x/sys/windows"
)

// ownGroup keeps Ctrl-C from the host, and it from opening a console's window.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP | windows.CREATE_NO_WINDOW}
}

// killGroup has nothing to do: what a host has started ends with it (child.EndTogether).
func killGroup(int) {}

// endGroup has nothing to do, likewise.
func endGroup() {}
