//go:build !unix

package providerhost

import "syscall"

func ownGroup() *syscall.SysProcAttr { return nil }

func killGroup(int) {}
