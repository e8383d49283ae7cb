"""A greenlet that is to run every 20 ms, and how long it ever had to wait for its turn."""

import itertools
import time

INTERVAL = 0.02


def longest_gap(spawn, sleep, action):
    """Run `action` beside the ticker; return the longest time between two ticks, in seconds."""
    ticks = []

    def tick():
        while True:
            ticks.append(time.monotonic())
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
