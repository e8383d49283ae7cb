// Package system has the few small things that every room asks of the machine.
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

// Outliving is a context that ends a while after ctx: what changes something
// elsewhere and is broken off may still do so later, after it has been undone.
func Outliving(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := context.AfterFunc(ctx, func() {
		if err := Sleep(longer, grace); err == nil {
			cancel()
		}
	})
	return longer, func() { ended(); cancel() }
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
