package providerhost

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// hostFiles are stdin, stdout and stderr, which is all that a process can be handed
// here: the pipes take the place of the first two.
func hostFiles(_, _, stderr, requests, answers *os.File) []*os.File {
	return []*os.File{requests, answers, stderr}
}

// hostPipes takes stdin and stdout away from the provider, and from programs that it
// starts: what they print goes to stderr.
func hostPipes() (requests, answers *os.File, err error) {
	requests, answers = os.Stdin, os.Stdout
	for _, file := range []*os.File{requests, answers} {
		info, err := file.Stat()
		if err != nil || info.Mode()&os.ModeNamedPipe == 0 {
			return nil, nil, errors.New("stdin and stdout are not its pipes")
		}
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, nil, err
	}
	os.Stdin, os.Stdout = null, os.Stderr
	err = errors.Join(
		windows.SetStdHandle(windows.STD_INPUT_HANDLE, windows.Handle(null.Fd())),
		windows.SetStdHandle(windows.STD_OUTPUT_HANDLE, windows.Handle(os.Stderr.Fd())),
	)
	return requests, answers, err
}
