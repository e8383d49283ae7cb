"""Eight calls that are running while their process forks."""

import threading

from guest import obtain


class RunningCalls:
    """Calls of eight threads, none of which ends before `go_on` is set."""

    def __init__(self, go_on):
        self._go_on = go_on
        self._started = threading.Barrier(9, timeout=60)
        self._serials = []
        self._threads = [threading.Thread(target=self._call, args=(n,)) for n in range(8)]

    def _call(self, number):
        def tell(event):
            if event.kind == "order":
                self._started.wait()
                self._go_on.wait()

        self._serials.append(obtain(f"parent{number}.example", on_event=tell))

    def start(self):
        """Return when all of them run."""
        for thread in self._threads:
            thread.start()
        self._started.wait()

    def finish(self):
        """Return their certificates' serials."""
        for thread in self._threads:
            thread.join()
        return self._serials
