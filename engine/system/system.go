// Package system has the two small things that every room asks of the machine.
package system

import (
	"context"
	"fmt"
	"os"
	"time"
)

// FileState tells a file from its replacement, by inode, time and size.
func FileState(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "unreadable"
	}
	return fmt.Sprintf("%d %d %d", inode(info), info.ModTime().UnixNano(), info.Size())
}

// Sleep waits, or ends with the context.
func Sleep(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
