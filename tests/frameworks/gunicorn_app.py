"""The application that gunicorn serves in its tests: each request obtains a certificate."""

import json
import multiprocessing
import os
import threading

from guest import CA, dns01, obtain
from running_calls import RunningCalls

import pylego

FORK = multiprocessing.get_context("fork")
BOTH = FORK.Barrier(2, timeout=60)
FORKED = FORK.Event()


def one_port():
    BOTH.wait()  # two workers are at it, and there is one port
    return obtain("request.example")


def two_ports(number):
    def tell(event):
        if event.kind == "presented":
            BOTH.wait()  # both listen

    CA.update(json.loads(os.environ["TEST_CAS"])[number])
    here = pylego.HTTP01(host="127.0.0.1", port=CA["http_port"])
    return obtain("request.example", here, on_event=tell)


def never():
    def tell(event):
        if event.kind == "triggered":
            os.write(1, b"triggered\n")

    return obtain("request.example", dns01(), timeout=None, on_event=tell)


def ticking():
    import gevent
    from ticker import longest_gap

    return longest_gap(gevent.spawn, gevent.sleep, lambda: obtain("request.example"))


ANSWERS = {
    "/forked": FORKED.set,
    "/one-port": one_port,
    "/first-port": lambda: two_ports(0),
    "/second-port": lambda: two_ports(1),
    "/never": never,
    "/ticking": ticking,
}


def application(environ, start_response):
    answer = ANSWERS[environ["PATH_INFO"]]()
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps([os.getpid(), answer]).encode()]


def tell_the_end(calls):
    print(len(set(calls.finish())), flush=True)


if os.environ.get("TEST_FORK") == "after":
    obtain("preloaded.example")
elif os.environ.get("TEST_FORK") == "during":
    running = RunningCalls(FORKED)
    running.start()
    threading.Thread(target=tell_the_end, args=(running,)).start()
