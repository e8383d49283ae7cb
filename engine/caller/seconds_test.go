package caller

import (
	"math"
	"testing"
	"time"
)

func TestSecondsAreNoShorterForBeingMany(t *testing.T) {
	for seconds, want := range map[float64]time.Duration{
		0: 0, 1.5: 1500 * time.Millisecond, -2: -2 * time.Second, 1e-12: 0,
		1e10: math.MaxInt64, 1e300: math.MaxInt64, math.Inf(1): math.MaxInt64, -1e10: math.MinInt64,
	} {
		if found := Seconds(seconds); found != want {
			t.Errorf("%v s are %v", seconds, found)
		}
	}
}
