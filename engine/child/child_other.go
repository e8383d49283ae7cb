//go:build !unix

package child

// DropSignals has nothing to drop here.
func DropSignals() {}

// CloseInherited has nothing to close: nothing is inherited here unless asked for.
func CloseInherited() {}
