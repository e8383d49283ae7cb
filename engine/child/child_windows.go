package child

import (
	"os"
	"os/signal"
	"unsafe"

	"golang.org/x/sys/windows"
)

// DropSignals catches Ctrl-C and the end of the console, which reach every process of
// it: we must live to clean up, and our parent ends us.
func DropSignals() {
	signal.Notify(make(chan os.Signal, 1), os.Interrupt, windows.SIGTERM)
}

// CloseInherited has nothing to close: nothing is inherited here unless asked for.
func CloseInherited() {}

// EndTogether has what this process starts end with it, however it ends: the system
// ends a job's processes when the last handle of the job is closed, and this one is
// closed with us. A process may be in several jobs, since Windows 8.
func EndTogether() error {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return err
	}
	limits := windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION{}
	limits.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation,
		uintptr(unsafe.Pointer(&limits)), uint32(unsafe.Sizeof(limits)))
	if err == nil {
		err = windows.AssignProcessToJobObject(job, windows.CurrentProcess())
	}
	if err != nil {
		windows.CloseHandle(job)
	}
	return err
}

// Of reports whether that process lives and started us: the system tells the number of
// a parent that has long ended, too, which may be another's by now.
func Of(parent int) bool {
	handle, err := opened(parent)
	if err != nil {
		return false
	}
	defer windows.CloseHandle(handle)
	return true
}

// Orphaned is closed when that parent has gone, which may be before we could look.
func Orphaned(parent int) <-chan struct{} {
	orphaned := make(chan struct{})
	go func() {
		defer close(orphaned)
		handle, err := opened(parent)
		if err != nil {
			return
		}
		defer windows.CloseHandle(handle)
		_, _ = windows.WaitForSingleObject(handle, windows.INFINITE)
	}()
	return orphaned
}

func opened(parent int) (windows.Handle, error) {
	handle, err := windows.OpenProcess(
		windows.SYNCHRONIZE|windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(parent))
	if err != nil {
		return 0, err
	}
	if parent != os.Getppid() || !olderThanUs(handle) {
		windows.CloseHandle(handle)
		return 0, windows.ERROR_INVALID_PARAMETER
	}
	return handle, nil
}

func olderThanUs(process windows.Handle) bool {
	its, err1 := started(process)
	ours, err2 := started(windows.CurrentProcess())
	return err1 == nil && err2 == nil && its <= ours
}

func started(process windows.Handle) (int64, error) {
	var begin, end, kernel, user windows.Filetime
	err := windows.GetProcessTimes(process, &begin, &end, &kernel, &user)
	return begin.Nanoseconds(), err
}
