"""A program with all that it starts, ended together: a process group, or a job of Windows'."""

from __future__ import annotations

import contextlib
import os
import signal
import sys

from pylego._engine import system

TYPE_CHECKING = False  # typing would be a tenth of our memory
if TYPE_CHECKING:
    import subprocess

FLAGS = system.OWN_GROUP | (0x4 if sys.platform == "win32" else 0)
"""The `creationflags` of a program that is to have a group: Windows lets it run when it is in
it (CREATE_SUSPENDED), so that all that it starts is too; elsewhere `start_new_session` says it."""


class Group:
    """What is ended with a program; closing it ends nothing: what a hook has started may go on."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        """Take a process that was started with `FLAGS`."""
        self._process = process
        if sys.platform == "win32":
            self._job = _Job(process)

    def end(self, *, at_once: bool) -> None:
        """End all of it: asked to, or at once; Windows has no way to ask."""
        if sys.platform == "win32":
            self._job.end()
            self._process.kill()  # also where it could not be in a job
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            # No other group has its number by now: the system counts through all of them first.
            os.killpg(self._process.pid, signal.SIGKILL if at_once else signal.SIGTERM)

    def close(self) -> None:
        """Let it go."""
        if sys.platform == "win32":
            self._job.close()


if sys.platform == "win32":
    import ctypes

    class _Job:
        """A job object: what its processes start is in it too."""

        def __init__(self, process: subprocess.Popen[bytes]) -> None:
            self._kernel = ctypes.WinDLL("kernel32")
            self._kernel.CreateJobObjectW.restype = ctypes.c_void_p
            self._handle = ctypes.c_void_p(self._kernel.CreateJobObjectW(None, None))
            its = ctypes.c_void_p(int(process._handle))  # type: ignore[attr-defined]  # noqa: SLF001
            self._kernel.AssignProcessToJobObject(self._handle, its)
            if ctypes.WinDLL("ntdll").NtResumeProcess(its):
                process.kill()
                self.close()
                msg = "Windows does not let it run"
                raise OSError(msg)

        def end(self) -> None:
            self._kernel.TerminateJobObject(self._handle, 1)

        def close(self) -> None:
            self._kernel.CloseHandle(self._handle)
