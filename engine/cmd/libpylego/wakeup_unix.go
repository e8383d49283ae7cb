//go:build unix

package main

import "syscall"

// wakeup is the readable descriptor that tells a caller's event loop that
// messages are waiting: a pipe, because every platform's select takes one.
type wakeup struct{ reader, writer int }

func newWakeup() (*wakeup, error) {
	var ends [2]int
	if err := pipe(&ends); err != nil {
		return nil, err
	}
	return &wakeup{ends[0], ends[1]}, nil
}

func (w *wakeup) signal() { _, _ = syscall.Write(w.writer, []byte{0}) } // full: it is readable already

func (w *wakeup) drain() {
	var buffer [64]byte
	for {
		if n, err := syscall.Read(w.reader, buffer[:]); n < len(buffer) || err != nil {
			return
		}
	}
}

func (w *wakeup) close() {
	_ = syscall.Close(w.reader)
	_ = syscall.Close(w.writer)
}
