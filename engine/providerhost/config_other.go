//go:build !unix

package providerhost

import "os"

// Where files have no inode number, time and size have to do.
func inode(os.FileInfo) uint64 { return 0 }
