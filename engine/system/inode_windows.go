package system

import "io/fs"

// inode is not known here: mtime and size have to tell files apart.
func inode(fs.FileInfo) uint64 { return 0 }
