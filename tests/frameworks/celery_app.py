"""The tasks of the Celery worker in the tests; TEST_FORK says when its parent makes calls."""

import json
import multiprocessing
import os
import threading

from celery import Celery, signals
from guest import obtain
from running_calls import RunningCalls

FOLDER = os.environ["TEST_FOLDER"]
WHEN = os.environ.get("TEST_FORK", "")
BOTH = multiprocessing.get_context("fork").Barrier(2, timeout=60)

app = Celery(
    "celery_app",
    broker="filesystem://",
    backend=f"file://{FOLDER}/results",
    broker_transport_options={
        "data_folder_in": f"{FOLDER}/queue",
        "data_folder_out": f"{FOLDER}/outbox",
        "control_folder": f"{FOLDER}/control",
        "polling_interval": 0.02,
    },
    broker_connection_retry_on_startup=True,
    worker_redirect_stdouts=False,
)


@app.task
def work(number):
    BOTH.wait()  # each of the pool's two processes is at it
    return os.getpid(), obtain(f"task{number}.example")


ready = threading.Event()
calls = RunningCalls(ready)


@signals.worker_init.connect
def before_the_forks(**_):
    if WHEN == "after":
        obtain("before.example")
    elif WHEN == "during":
        calls.start()


@signals.worker_ready.connect
def after_the_forks(**_):
    ready.set()
    serials = calls.finish() if WHEN == "during" else []
    print(json.dumps([*serials, obtain("ready.example")]), flush=True)


@signals.worker_shutdown.connect
def at_the_end(**_):
    print("at the end:", obtain("shutdown.example"), flush=True)
