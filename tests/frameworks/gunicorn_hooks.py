"""gunicorn's settings: its hooks tell the test what happens.

By one write each: two workers share the pipe.
"""

import os


def when_ready(server):
    os.write(1, b"ready\n")


def post_worker_init(worker):
    os.write(1, b"%d\n" % worker.pid)
