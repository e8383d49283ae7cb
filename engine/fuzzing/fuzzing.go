// Package fuzzing is what the engine's fuzz targets share. `go test` runs each
// on its seeds and on a fixed series of bad inputs made of them; `go test -fuzz`
// goes on from there with inputs of its own.
package fuzzing

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

const (
	// variations are made of all the seeds together.
	variations = 300
	// limit is far above what any input takes, on a slow machine too.
	limit = 20 * time.Second
)

// words mean something to one of the parsers.
var words = []string{
	"\x00", "\xff", "\n", "\r\n", "\"", "{", "}", "[", "]", ",", ":", "null", "true", "-1", "0.5", "1e999", "18446744073709551616",
	`\ud800`, "\u202e", "https://", "-----BEGIN ", "-----\n", "=", ";", ".", "*.",
}

// Run makes f a target: check sees any bytes. An input that takes too long ends
// the process with the stacks of all goroutines, and the fuzzer keeps it.
func Run(f *testing.F, check func(t *testing.T, data []byte), seeds ...string) {
	f.Helper()
	chance := rand.New(rand.NewPCG(8555, 1))
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	for i := range variations {
		f.Add(vary(chance, seeds[i%len(seeds)]))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		hangs := time.AfterFunc(limit, func() { panic(fmt.Sprintf("still at work after %v on %q", limit, data)) })
		defer hangs.Stop()
		check(t, data)
	})
}

// vary changes a text in one to eight places.
func vary(chance *rand.Rand, seed string) []byte {
	data := []byte(seed)
	for range 1 + chance.IntN(8) {
		from := chance.IntN(len(data) + 1)
		to := from + chance.IntN(min(len(data)-from, 16)+1)
		switch chance.IntN(5) {
		case 0: // a part is lost
			data = slices.Delete(data, from, to)
		case 1: // comes twice
			data = slices.Insert(data, from, slices.Clone(data[from:to])...)
		case 2: // becomes a word
			data = slices.Replace(data, from, to, []byte(words[chance.IntN(len(words))])...)
		case 3: // is changed by a bit
			if from < len(data) {
				data[from] ^= 1 << chance.IntN(8)
			}
		case 4: // the end is lost
			if chance.IntN(4) == 0 {
				data = data[:from]
			}
		}
	}
	return data
}
