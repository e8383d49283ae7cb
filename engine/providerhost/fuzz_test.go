//go:build unix

package providerhost

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-acme/lego/v5/challenge"

	"pylego/engine/fault"
	"pylego/engine/fuzzing"
)

// FuzzFrames: what is read as a frame is written as the same, and the rest is an error.
func FuzzFrames(f *testing.F) {
	fuzzing.Run(f, func(t *testing.T, data []byte) {
		reader := newFrameReader(bytes.NewReader(data))
		for {
			read, err := reader.read()
			if err != nil {
				return
			}
			var pipe bytes.Buffer
			if err := (&frameWriter{w: &pipe}).write(read.ID, read.Kind, read.Body); err != nil {
				t.Fatalf("%+v cannot be written: %v", read, err)
			}
			again, err := newFrameReader(&pipe).read()
			if err != nil || again.ID != read.ID || again.Kind != read.Kind || pipe.Len() != 0 {
				t.Errorf("%+v became %+v, %v", read, again, err)
			}
			_ = read.decode(&errorBody{})
			_ = read.decode(&readyBody{})
		}
	},
		`{"id":1,"kind":"result","body":{}}`+"\n"+`{"id":0,"kind":"log","body":{"level":-4,"message":"x","attrs":{"a":"b"}}}`+"\n",
		`{"id":18446744073709551615,"kind":"error","body":{"message":"\u2028","cut":true,"suggestions":["a"]}}`+"\n",
		`{"kind":"quit"}`+"\n\n[]\n",
	)
}

const fuzzSecret = "s3cret-0123456789"

// speaking is a host that has written something and then closed its pipes.
func speaking(t *testing.T, said []byte) *host {
	t.Helper()
	pipe := func() (read, write *os.File) {
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { read.Close(); write.Close() })
		return read, write
	}
	h := newHost(Config{Provider: "fake", Environment: []string{"FAKE_TOKEN=" + fuzzSecret}}, "key")
	answers, hostWrites := pipe()
	_, requests := pipe()
	stderr, hostPrints := pipe()
	hostPrints.Close()
	h.process = &process{requests: requests, answers: answers, ended: true}
	h.stderr = newCapture(stderr, h.redact, func(string) {})
	h.connection = newConnection(h.process, logFrame("fake", h.redact))
	h.status = "ended with code 0"
	close(h.ended)
	go func() {
		_, _ = hostWrites.Write(said)
		hostWrites.Close()
	}()
	return h
}

// Whatever a host writes, its provider is made or there is an error for people,
// and none of its secrets gets out.
func FuzzHosts(f *testing.F) {
	fuzzing.Run(f, func(t *testing.T, data []byte) {
		logs.forget()
		h := speaking(t, data)
		if err := h.hello(); err != nil {
			text := err.Error()
			var known *fault.Error
			if !errors.As(err, &known) || strings.Contains(fmt.Sprint(known.Facts), fuzzSecret) {
				t.Errorf("%+v", known)
			}
			switch known.Code {
			case fault.DNSProviderFailed, fault.UnknownProvider, fault.MissingCredentials:
			default:
				t.Error(known.Code)
			}
			if strings.Contains(text, fuzzSecret) || !utf8.ValidString(text) || len(text) > 2*maxFrame {
				t.Errorf("%q", text)
			}
		}
		<-h.connection.closed
		if reason := h.connection.reason(); reason == nil {
			t.Error("closed, and does not say why")
		}
		if said := logs.all(); strings.Contains(said, fuzzSecret) {
			t.Errorf("logged: %q", said)
		}
	},
		`{"id":1,"kind":"ready","body":{"timeout":60000000000,"interval":2000000000,"sequential":1}}`+"\n",
		`{"id":1,"kind":"error","body":{"message":"bad password `+fuzzSecret+`","cut":true}}`+"\n",
		`{"id":1,"kind":"error","body":{"message":"unknown","unknown":true,"suggestions":["cloudflare"]}}`+"\n",
		`{"id":0,"kind":"log","body":{"level":4,"message":"token `+fuzzSecret+`"}}`+"\n"+`{"id":1,"kind":"result","body":"`+fuzzSecret+`"}`+"\n",
		"Hello from a provider\n",
	)
}

// docile is a provider that agrees to everything.
type docile struct{}

func (docile) Present(context.Context, string, string, string) error { return nil }
func (docile) CleanUp(context.Context, string, string, string) error {
	return errors.New("there is nothing")
}

// sink is the host's end of the pipe to an engine that listens.
type sink struct {
	mu      sync.Mutex
	written bytes.Buffer
}

func (s *sink) Write(data []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.written.Write(data)
}

// Whatever an engine writes, the host ends with one of its exit codes, and has
// written nothing but frames of its kinds.
func FuzzEngines(f *testing.F) {
	f.Setenv("LEGO_DISABLE_CNAME_SUPPORT", "true") // challenge_info would ask the system's resolver
	hello := fmt.Sprintf(`{"id":1,"kind":"hello","body":{"version":%d,"parent_pid":%d,"provider":"docile"}}`+"\n", protocolVersion, os.Getppid())
	fuzzing.Run(f, func(t *testing.T, data []byte) {
		out := &sink{}
		h := &server{
			name:      "docile",
			construct: func(string) (challenge.Provider, error) { return docile{}, nil },
			out:       &frameWriter{w: out},
			calls:     map[uint64]context.CancelFunc{},
		}
		frames, broken := make(chan frame), make(chan error, 2)
		go readFrames(bytes.NewReader(data), frames, broken)
		if code := h.serve(frames, broken); code != exitDone && code != exitMisused {
			t.Errorf("exit code %d", code)
		}
		for left := true; left; { // of what nobody reads after quit
			select {
			case <-frames:
			case <-broken:
				left = false
			case <-time.After(time.Millisecond): // it had been broken
				left = false
			}
		}
		out.mu.Lock()
		defer out.mu.Unlock()
		for reader := newFrameReader(bytes.NewReader(out.written.Bytes())); ; {
			answer, err := reader.read()
			if err != nil {
				if out.written.Len() > 0 && !bytes.HasSuffix(out.written.Bytes(), []byte("\n")) {
					t.Errorf("%q", out.written.Bytes())
				}
				return
			}
			switch answer.Kind {
			case kindReady, kindResult, kindError, kindLog:
			default:
				t.Errorf("the host wrote %+v", answer)
			}
		}
	},
		hello+`{"id":2,"kind":"present","body":{"domain":"a.example","token":"t","key_authorization":"k"}}`+"\n"+`{"id":3,"kind":"clean_up","body":{"domain":"a.example"}}`+"\n",
		`{"id":2,"kind":"present","body":{}}`+"\n"+`{"id":2,"kind":"cancel"}`+"\n"+`{"id":3,"kind":"challenge_info","body":{"domain":"a.example"}}`+"\n"+`{"id":4,"kind":"dance"}`+"\n"+hello,
		hello+`{"id":0,"kind":"quit"}`+"\n",
	)
}

// A secret of a provider stands in no text that has been redacted, however the
// text was put around it.
func FuzzRedactor(f *testing.F) {
	fuzzing.Run(f, func(t *testing.T, data []byte) {
		first, rest, _ := bytes.Cut(data, []byte{0})
		before, after, _ := strings.Cut(string(rest), "\x00")
		secret := string(first)
		// What would be found in, or made by, the redactor's own words.
		if len(secret) < minSecret || !utf8.ValidString(secret) || strings.ContainsAny(secret, "[]\uFFFD") || strings.Contains(redacted, secret) {
			return
		}
		r := newRedactor([]string{secret})
		for _, text := range []string{before + secret + after, secret + secret, fmt.Sprintf("%q", secret)} {
			if clean := r.clean(text); strings.Contains(clean, secret) || !utf8.ValidString(clean) {
				t.Errorf("%q in %q became %q", secret, text, clean)
			}
		}
		for end := 1; end <= len(secret); end++ { // wherever it was cut
			if clean := r.cleanCut(before + secret[:end]); strings.Contains(clean, secret) || end >= minSecret && strings.HasSuffix(clean, secret[:end]+"...") {
				t.Errorf("%q cut at %d became %q", secret, end, clean)
			}
		}
	},
		fuzzSecret+"\x00password is \x00, sorry", "a \"b\"/c\\d e\x00user:\x00@host", "line one\nline two\n\x00-----BEGIN\n\x00-----END",
		"aaaaaaaa\x00aaaa\x00aaa", "p\u00e4ssw\u00f6rt\x00\x00",
	)
}
