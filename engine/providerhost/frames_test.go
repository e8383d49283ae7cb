package providerhost

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestAFrameSurvivesThePipe(t *testing.T) {
	var pipe bytes.Buffer
	w := &frameWriter{w: &pipe}
	if err := w.write(7, kindPresent, challengeBody{"a\nb.example", "tok", "key"}); err != nil {
		t.Fatal(err)
	}
	if err := w.write(0, kindQuit, nil); err != nil {
		t.Fatal(err)
	}
	r := newFrameReader(&pipe)
	f, err := r.read()
	if err != nil || f.ID != 7 || f.Kind != kindPresent {
		t.Fatal(f, err)
	}
	var body challengeBody
	if err := f.decode(&body); err != nil || body.Domain != "a\nb.example" {
		t.Fatal(body, err)
	}
	if f, err = r.read(); err != nil || f.Kind != kindQuit {
		t.Fatal(f, err)
	}
	if _, err = r.read(); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
}

func TestFramesHaveALimitAtBothEnds(t *testing.T) {
	w := &frameWriter{w: io.Discard}
	if err := w.write(1, kindLog, logBody{Message: strings.Repeat("x", maxFrame)}); err == nil {
		t.Error("written")
	}
	endless := strings.NewReader(`{"kind":"` + strings.Repeat("x", 2*maxFrame) + `"}` + "\n")
	if _, err := newFrameReader(endless).read(); !errors.Is(err, errFrameTooLong) {
		t.Error(err)
	}
}

func TestGarbageIsNoFrame(t *testing.T) {
	for _, line := range []string{"hello\n", "{}\n", "[1]\n", "\n", `{"id":-1,"kind":"x"}` + "\n"} {
		if f, err := newFrameReader(strings.NewReader(line)).read(); err == nil {
			t.Errorf("%q became %+v", line, f)
		}
	}
}
