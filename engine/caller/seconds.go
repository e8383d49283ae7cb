package caller

import (
	"math"
	"time"
)

// Seconds reads a time as callers write it. What is longer than a Duration can
// hold, 292 years, would become one that is over.
func Seconds(seconds float64) time.Duration {
	nanoseconds := seconds * float64(time.Second)
	switch {
	case nanoseconds >= math.MaxInt64:
		return math.MaxInt64
	case nanoseconds <= math.MinInt64:
		return math.MinInt64
	}
	return time.Duration(nanoseconds)
}
