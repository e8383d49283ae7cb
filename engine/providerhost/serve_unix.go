//go:build unix

package providerhost

import (
	"errors"
	"os"
	"syscall"
)

// The host's ends of the pipes. stdin is /dev/null, stdout and stderr belong to
// whatever a provider prints.
const (
	requestsFD = 3
	answersFD  = 4
)

// hostFiles are those that a host inherits, by their descriptors.
func hostFiles(stdin, stdout, stderr, requests, answers *os.File) []*os.File {
	return []*os.File{stdin, stdout, stderr, requestsFD: requests, answersFD: answers}
}

// hostPipes takes the inherited descriptors away from programs that a provider
// starts (lego's exec provider, credential helpers of SDKs): one that outlived
// the host would keep the engine waiting for end-of-file.
func hostPipes() (requests, answers *os.File, err error) {
	for _, fd := range []int{requestsFD, answersFD} {
		var stat syscall.Stat_t
		if err := syscall.Fstat(fd, &stat); err != nil || stat.Mode&syscall.S_IFMT != syscall.S_IFIFO {
			return nil, nil, errors.New("descriptors 3 and 4 are not its pipes")
		}
		syscall.CloseOnExec(fd)
	}
	return os.NewFile(requestsFD, "requests"), os.NewFile(answersFD, "answers"), nil
}
