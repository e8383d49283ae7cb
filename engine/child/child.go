// Package child is what a process of ours owes the one that started it: `lego
// provider` its engine, and `lego serve` its Python. It outlives what a terminal
// or a service manager does to the whole tree, since somebody must clean up, but
// never its parent.
package child
