//go:build unix

package providerhost

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"
)

// middleman is an engine whose pipes somebody else holds too, as a forked child does.
func middleman() {
	p, err := os.StartProcess(os.Args[0], []string{"lego", "provider", "fake"}, &os.ProcAttr{
		Env:   []string{},
		Files: []*os.File{nil, nil, os.Stderr, os.NewFile(3, ""), os.NewFile(4, "")},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(p.Pid)
	select {}
}

func TestAHostEndsWithItsParentThoughAnotherHoldsThePipe(t *testing.T) {
	hostIn, toHost, _ := os.Pipe()
	fromHost, hostOut, _ := os.Pipe()
	defer toHost.Close() // to the end: no end-of-file for the host
	parent := exec.Command(os.Args[0], "middleman")
	parent.ExtraFiles = []*os.File{hostIn, hostOut}
	stdout, _ := parent.StdoutPipe()
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	hostIn.Close()
	hostOut.Close()
	if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	hello := helloBody{Version: protocolVersion, ParentPID: parent.Process.Pid, Provider: "fake"}
	if err := (&frameWriter{w: toHost}).write(1, kindHello, hello); err != nil {
		t.Fatal(err)
	}
	answers := newFrameReader(fromHost)
	if f, err := answers.read(); err != nil || f.Kind != kindReady {
		t.Fatal(f, err)
	}

	_ = parent.Process.Kill()
	_ = parent.Wait()
	_ = fromHost.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := answers.read(); !errors.Is(err, io.EOF) {
		t.Error("the host lives:", err)
	}
}

func TestAHostOfAnotherBuildOrParentEnds(t *testing.T) {
	for name, hello := range map[string]helloBody{
		"version":  {Version: protocolVersion + 1, ParentPID: os.Getpid(), Provider: "fake"},
		"parent":   {Version: protocolVersion, ParentPID: os.Getpid() + 1, Provider: "fake"},
		"provider": {Version: protocolVersion, ParentPID: os.Getpid(), Provider: "other"},
	} {
		process, err := startProcess(Config{Provider: "fake"})
		if err != nil {
			t.Fatal(err)
		}
		if err := (&frameWriter{w: process.requests}).write(1, kindHello, hello); err != nil {
			t.Fatal(err)
		}
		if f, err := newFrameReader(process.answers).read(); !errors.Is(err, io.EOF) {
			t.Error(name, f, err)
		}
		process.wait()
		for _, file := range []*os.File{process.requests, process.answers, process.stdout, process.stderr} {
			file.Close()
		}
	}
}
