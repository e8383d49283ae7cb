package providerhost

import "os"

// Where pipes have no deadlines, nobody asks.
func readNow(*os.File, []byte) int { return 0 }
