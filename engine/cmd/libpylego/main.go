// Command libpylego is lego.so: the engine as a C library. It is the only place
// that knows cgo; pylego.h describes the functions.
package main

/*
#include <stdint.h>
#include <stdlib.h>
*/
import "C"

import (
	"runtime/debug"
	"sync"
	"time"
	"unsafe"

	"pylego/engine/bridge"
	"pylego/engine/transport"
)

// handle is one caller's engine. Two copies of a binding in one process open two.
type handle struct {
	engine *bridge.Engine
	wake   *wakeup
}

var handles = struct {
	sync.RWMutex
	last uint64
	open map[uint64]*handle
}{open: map[uint64]*handle{}}

func find(id C.uint64_t) *handle {
	handles.RLock()
	defer handles.RUnlock()
	return handles.open[uint64(id)]
}

func main() {}

func init() {
	// In somebody else's program memory counts for more than the collector's time.
	// At less it begins in the middle of a first order, and takes more than it gives.
	debug.SetGCPercent(75)
}

var captureOutput = sync.OnceValue(bridge.CaptureOutput)

//export pylego_version
func pylego_version() *C.char { return C.CString(transport.Version) }

// pylego_open returns 0 where no pipe can be made.
//
//export pylego_open
func pylego_open() C.uint64_t {
	if captureOutput() != nil {
		return 0
	}
	wake, err := newWakeup()
	if err != nil {
		return 0
	}
	handles.Lock()
	defer handles.Unlock()
	handles.last++
	handles.open[handles.last] = &handle{bridge.Open(bridge.Operations, wake.signal), wake}
	return C.uint64_t(handles.last)
}

//export pylego_descriptor
func pylego_descriptor(id C.uint64_t) C.int {
	if h := find(id); h != nil {
		return C.int(h.wake.reader)
	}
	return -1
}

//export pylego_start
func pylego_start(id, job C.uint64_t, request *C.char, length C.size_t) C.int {
	if h := find(id); h != nil && h.engine.Start(uint64(job), C.GoBytes(unsafe.Pointer(request), C.int(length))) {
		return 1
	}
	return 0
}

//export pylego_next
func pylego_next(id C.uint64_t, milliseconds C.int) *C.char {
	h := find(id)
	if h == nil {
		return nil
	}
	h.wake.drain()
	batch := h.engine.Next(time.Duration(milliseconds) * time.Millisecond)
	if batch == nil {
		return nil
	}
	return C.CString(string(batch))
}

//export pylego_reply
func pylego_reply(id, job C.uint64_t, answer *C.char, length C.size_t) {
	if h := find(id); h != nil {
		h.engine.Reply(uint64(job), C.GoBytes(unsafe.Pointer(answer), C.int(length)))
	}
}

//export pylego_cancel
func pylego_cancel(id, job C.uint64_t) {
	if h := find(id); h != nil {
		h.engine.Cancel(uint64(job))
	}
}

//export pylego_close
func pylego_close(id C.uint64_t, milliseconds C.int) {
	h := find(id)
	if h == nil {
		return
	}
	_ = h.engine.Close(time.Duration(milliseconds) * time.Millisecond) // late jobs lose their listener, no more
	handles.Lock()
	defer handles.Unlock()
	delete(handles.open, uint64(id))
	h.wake.close()
}

//export pylego_free
func pylego_free(text *C.char) { C.free(unsafe.Pointer(text)) }
