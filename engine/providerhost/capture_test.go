//go:build unix

package providerhost

import (
	"bytes"
	"os"
	"strings"
	"sync"
	"testing"
)

func newTestCapture(t *testing.T, secrets ...string) (*os.File, *capture, func() []string) {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var lines []string
	c := newCapture(read, newRedactor(secrets), func(line string) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, line)
	})
	t.Cleanup(func() { write.Close(); c.close() })
	return write, c, func() []string { mu.Lock(); defer mu.Unlock(); return lines }
}

func TestWhatWasPrintedBeforeAnErrorIsInIt(t *testing.T) {
	write, c, _ := newTestCapture(t)
	for n := range 500 {
		line := strings.Repeat("x", n+1)
		_, _ = write.WriteString(line + "\n")
		c.settle()
		if c.last() != line {
			t.Fatalf("%d: %q", n, c.last())
		}
	}
}

func TestManyMaySettleAtOnce(t *testing.T) {
	write, c, _ := newTestCapture(t)
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			for range 20 {
				_, _ = write.WriteString("line\n")
				c.settle()
			}
		})
	}
	all.Wait()
}

func TestALongLineIsCutWithoutShowingHalfASecret(t *testing.T) {
	write, c, lines := newTestCapture(t, "hunter2hunter2")
	_, _ = write.Write(append(bytes.Repeat([]byte("hunter2hunter2 "), 10000), '\n'))
	_, _ = write.WriteString("next\n")
	c.settle()
	got := lines()
	if len(got) != 2 || len(got[0]) > maxLine || strings.Contains(got[0], "hu") || got[1] != "next" {
		t.Errorf("%d lines, the first %.100q", len(got), got[0])
	}
}

func TestAPanicIsQuotedAndNotItsTrace(t *testing.T) {
	write, c, _ := newTestCapture(t)
	_, _ = write.WriteString("starting\npanic: boom\n\ngoroutine 1 [running]:\nmain.main()\n\texit status 2\n")
	c.settle()
	if c.last() != "panic: boom" {
		t.Error(c.last())
	}
}

func TestAnUnfinishedLineIsQuotedWithoutHalfASecret(t *testing.T) {
	write, c, _ := newTestCapture(t, "hunter2hunter2")
	_, _ = write.WriteString("the password that was sent is hunter2hunt")
	c.settle()
	if got := c.last(); !strings.HasPrefix(got, "the password that was") || strings.Contains(got, "hu") {
		t.Error(got)
	}
}
