"""A greenlet that is to run every 20 ms, and how long it ever had to wait for its turn."""

import itertools
import time
from pathlib import Path

INTERVAL = 0.02
SCHEDULER = Path("/proc/thread-self/schedstat")
"""Its second number is for how long this thread could have run, in nanoseconds, and others did."""


def own_time():
    """Tell the time as if nothing else ran on this machine."""
    waited = int(SCHEDULER.read_text().split()[1]) if SCHEDULER.exists() else 0
    return time.monotonic() - waited / 10**9


def longest_gap(spawn, sleep, action):
    """Run `action` beside the ticker; return the longest time between two ticks, in seconds."""
    ticks = []

    def tick():
        while True:
            ticks.append(own_time())
            sleep(INTERVAL)

    def wait_for_a_tick():
        seen = len(ticks)
        while len(ticks) == seen:
            sleep(INTERVAL / 4)

    spawn(tick)
    wait_for_a_tick()
    action()
    wait_for_a_tick()
    return max(after - before for before, after in itertools.pairwise(ticks))
