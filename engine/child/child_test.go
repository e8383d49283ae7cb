package child

import (
	"os"
	"testing"
	"time"
)

func TestAParentThatWasGoneBeforeWeLookedIsMissed(t *testing.T) {
	select {
	case <-Orphaned(os.Getppid() + 1):
	case <-time.After(10 * time.Second):
		t.Error("nobody tells")
	}
}

func TestAParentThatLivesIsNotMissed(t *testing.T) {
	select {
	case <-Orphaned(os.Getppid()):
		t.Error("it lives")
	case <-time.After(50 * time.Millisecond):
	}
}
