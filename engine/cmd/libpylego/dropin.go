package main

/*
#cgo CFLAGS: -D_GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
extern char **environ;
static char *environment(size_t i) { return environ ? environ[i] : NULL; }
// Any symbol of ours tells where the library lies.
static const char *own_path(void) {
	Dl_info info;
	return dladdr((void *)environment, &info) ? info.dli_fname : NULL;
}
*/
import "C"

import (
	"os"
	"path/filepath"

	"pylego/engine/bridge"
	"pylego/engine/caller"
	"pylego/engine/providerhost"
)

// The executable lego lies beside the library.
func init() {
	if path := C.own_path(); path != nil {
		providerhost.SetExecutable(filepath.Join(filepath.Dir(C.GoString(path)), "lego"))
	}
}

// RunLegoCommand is the interface of pylego 0.1 for programs in C: one JSON
// message in, one out, blocking. The answer is the caller's to free.
//
//export RunLegoCommand
func RunLegoCommand(message *C.char) *C.char {
	if captureOutput() != nil {
		return nil // no pipe can be made: the process has no descriptor left
	}
	return C.CString(string(bridge.RunLegoCommand(C.GoString(message), here())))
}

// here is the program's environment now, which need not be Go's copy of it.
func here() caller.Caller {
	var entries []string
	for i := C.size_t(0); C.environment(i) != nil; i++ {
		entries = append(entries, C.GoString(C.environment(i)))
	}
	directory, _ := os.Getwd() // "" where the folder has been deleted: hosts then say so
	return caller.Caller{Environment: caller.EnvironmentOf(entries), Directory: []byte(directory)}
}
