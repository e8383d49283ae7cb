"""The processes that a program has started, and their end."""

import os
import select
import signal
import time
from contextlib import suppress
from pathlib import Path

SOON = 6
"""Seconds in which processes have ended whose end was begun: a busy machine needs its time."""

PROMISED = 2
"""Seconds after which a killed program's processes are gone, on a machine that is not busy."""


def left_after_a_kill(start, others=()):
    """Kill what `start` starts, up to three times; return what lives longer than is promised.

    Processes of its own may live: the pids in `others`.
    The machine may hold up any process once in a while; a fault of ours would each time.
    """
    for _ in range(3):
        running = start()
        started = Watched(set(descendants(running.process.pid)).difference(others))
        assert started.descriptors
        running.process.kill()
        left = started.left_after(PROMISED)
        if not left:
            break
    return left


def descendants(pid):
    """List the living processes below a process, at any depth."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            state, parent = status.read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                parents[int(status.parent.name)] = int(parent)
    found = [pid]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found[1:]


def hosts():
    """List the processes of DNS providers below this one, and none of a test's servers."""
    found = []
    for pid in descendants(os.getpid()):
        with suppress(OSError):  # it has just ended
            arguments = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            found += [pid] if arguments[1:2] == ["provider"] else []
    return found


class Watched:
    """Processes whose end can be waited for, whoever their parent is."""

    def __init__(self, pids):
        self.descriptors = {}
        for pid in pids:
            with suppress(ProcessLookupError):
                self.descriptors[os.pidfd_open(pid)] = pid

    def signal(self, number):
        for descriptor in self.descriptors:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, number)

    def left_after(self, seconds):
        """Wait for their end; return those that live."""
        end = time.monotonic() + seconds
        while self.descriptors and (left := end - time.monotonic()) > 0:
            poll = select.poll()
            for descriptor in self.descriptors:
                poll.register(descriptor, select.POLLIN)
            for descriptor, _ in poll.poll(left * 1000):
                del self.descriptors[descriptor]
                os.close(descriptor)
        living = list(self.descriptors.values())
        for descriptor in self.descriptors:
            os.close(descriptor)
        return living
