package providerhost

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"pylego/engine/fault"
)

var executable atomic.Pointer[string]

// SetExecutable names the lego binary. It counts for hosts started from now on.
func SetExecutable(path string) { executable.Store(&path) }

// Executable is the lego binary that hosts are started from; "" until it is set.
func Executable() string {
	if path := executable.Load(); path != nil {
		return *path
	}
	return ""
}

// cannotExecute is one sentence: what fails, why, and what still works.
func cannotExecute(reason error) error {
	err := fault.New(fault.DNSProviderFailed,
		"the lego executable beside pylego cannot be run (%v), so DNS-01 by a provider is not possible; HTTP-01 and TLS-ALPN-01 still work", reason)
	err.Err = reason
	return err
}

// process is a started host and the engine's ends of its pipes.
type process struct {
	os       *os.Process
	requests *os.File // to the host
	answers  *os.File // from the host
	stdout   *os.File
	stderr   *os.File

	mu    sync.Mutex
	ended bool
}

// startProcess uses os.StartProcess, not os/exec: the environment must arrive
// as it is given, and os/exec adds to it on some systems.
func startProcess(config Config) (*process, error) {
	path := Executable()
	if path == "" {
		return nil, cannotExecute(os.ErrNotExist)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, cannotExecute(err)
	}

	var opened []*os.File
	closeAll := func() {
		for _, file := range opened {
			file.Close()
		}
	}
	open := func(read, write *os.File, err error) (*os.File, *os.File, error) {
		if err == nil {
			opened = append(opened, read, write)
		}
		return read, write, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, fault.Wrap(fault.DNSProviderFailed, err, "DNS provider %s was not started", config.Provider)
	}
	defer null.Close()
	hostIn, toHost, err1 := open(os.Pipe())
	fromHost, hostOut, err2 := open(os.Pipe())
	stdout, hostStdout, err3 := open(os.Pipe())
	stderr, hostStderr, err4 := open(os.Pipe())
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		closeAll()
		return nil, fault.Wrap(fault.DNSProviderFailed, err, "DNS provider %s was not started", config.Provider)
	}

	p, err := os.StartProcess(path, []string{"lego", "provider", config.Provider}, &os.ProcAttr{
		Dir:   config.Directory,
		Env:   config.environment(), // never nil: that would mean the engine's own
		Files: hostFiles(null, hostStdout, hostStderr, hostIn, hostOut),
		Sys:   ownGroup(),
	})
	if err != nil {
		closeAll()
		return nil, startError(config, err)
	}
	for _, file := range []*os.File{hostIn, hostOut, hostStdout, hostStderr} {
		file.Close()
	}
	return &process{os: p, requests: toHost, answers: fromHost, stdout: stdout, stderr: stderr}, nil
}

// startError blames the directory where it is at fault: the system's error is the same.
func startError(config Config, err error) error {
	if config.Directory != "" {
		if info, statErr := os.Stat(config.Directory); statErr != nil {
			return fault.Wrap(fault.DNSProviderFailed, statErr, "DNS provider %s was not started in the working directory", config.Provider)
		} else if !info.IsDir() {
			return fault.New(fault.DNSProviderFailed, "DNS provider %s was not started: its working directory is a file", config.Provider)
		}
	}
	var pathError *os.PathError
	if errors.As(err, &pathError) {
		err = pathError.Err
	}
	return cannotExecute(err)
}

// wait reaps the process and says how it ended. Another part of the program may
// reap all children, or ignore SIGCHLD: then it has ended, and how is unknown.
func (p *process) wait() string {
	state, err := p.os.Wait()
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	if err != nil {
		return "ended"
	}
	if !state.Success() {
		killGroup(p.os.Pid) // what a crash left behind in its group
	}
	if state.Exited() {
		return fmt.Sprintf("ended with code %d", state.ExitCode())
	}
	return "was ended by " + state.String()
}

// kill ends the host and every program that its provider has started. A process
// already reaped is left alone: its number may be another's.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ended {
		killGroup(p.os.Pid)
		_ = p.os.Kill() // by pidfd where there is one, whoever reaped it
	}
}
