package issuance

import (
	"math/rand/v2"
	"testing"
	"time"
)

// randomDuration is spread over the magnitudes up to a limit.
func randomDuration(random *rand.Rand, limit time.Duration) time.Duration {
	return time.Duration(float64(limit) * random.Float64() * random.Float64() * random.Float64())
}

func TestPollsNeitherOvershootNorHurry(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		spent, roundTrip := randomDuration(random, 10*time.Minute), randomDuration(random, longestInterval)
		wait := pollInterval(spent, roundTrip, 0)
		if wait > longestInterval || wait < roundTrip {
			t.Fatalf("%v after %v with a round trip of %v", wait, spent, roundTrip)
		}
		if least := max(roundTrip, min(2*roundTrip, politeInterval)); wait > max(spent/4, least) {
			t.Fatalf("%v after %v with a round trip of %v: more than a quarter", wait, spent, roundTrip)
		}
		retryAfter := randomDuration(random, time.Hour)
		if got := pollInterval(spent, roundTrip, retryAfter); got != max(wait, retryAfter) {
			t.Fatalf("%v with a Retry-After of %v and otherwise %v", got, retryAfter, wait)
		}
	}
}

func TestTheFirstPollsOfANearCAAreQuick(t *testing.T) {
	t.Parallel()
	if wait := pollInterval(0, time.Millisecond, 0); wait > 2*time.Millisecond {
		t.Error(wait)
	}
	if wait := pollInterval(0, 100*time.Millisecond, 0); wait != 100*time.Millisecond {
		t.Error(wait)
	}
}
