package dnssolver

// unreachable is told by error numbers that differ here: every address counts.
func unreachable(error) bool { return false }
