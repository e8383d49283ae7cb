package bridge

import (
	"context"
	"runtime"

	"pylego/engine/report"
)

// Statistics is what Go uses of the process, for whoever looks for a leak.
type Statistics struct {
	Goroutines int    `json:"goroutines"`
	Heap       uint64 `json:"heap"` // bytes in use after a collection
}

func statistics(context.Context, struct{}, report.Reporter) (Statistics, error) {
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return Statistics{runtime.NumGoroutine(), memory.HeapAlloc}, nil
}
