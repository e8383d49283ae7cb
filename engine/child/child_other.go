//go:build !unix

package child

// DropSignals has nothing to drop here.
func DropSignals() {}
