"""The pipes of other systems, tried here: Windows can wait at one only by reading it."""

import os
import threading

import pytest

from pylego._engine.pipes import PolledPipes, ThreadedPipes

THREADED = """
        from pylego._engine import pipes, process
        process.Pipes = pipes.ThreadedPipes
"""


@pytest.fixture
def threaded_program(guest_program):
    def start(source):
        return guest_program(THREADED + source, env={"PYLEGO_ISOLATION": "process"})

    return start


def test_certificates_come_through_threads_that_read(threaded_program):
    out = threaded_program(
        """
        print(len(obtain_at_once(20)))
        """
    ).end()
    assert out == (0, "20\n", "")


def test_an_answer_goes_back_to_the_engine(threaded_program):
    out = threaded_program(
        """
        class Solver:
            asked = []
            def present(self, presentation):
                self.asked.append("present")
                raise RuntimeError("no")
            def clean_up(self, presentation):
                self.asked.append("clean_up")
        try:
            obtain(challenges=Solver())
        except pylego.LEGOError as error:
            print(type(error.__cause__).__name__, Solver.asked)
        """
    ).end()
    assert out == (0, "RuntimeError ['present', 'clean_up']\n", "")


def test_the_death_of_the_process_is_told_and_leaves_no_thread_and_no_descriptor(threaded_program):
    code, out, err = threaded_program(
        """
        import signal, threading
        from pylego import _engine
        def seen():
            return threading.active_count(), len(os.listdir("/proc/self/fd"))
        left = set()
        for _ in range(3):
            obtain()
            process = _engine._engines["process"]._transport._process
            threads = [each for each in threading.enumerate() if each.daemon]
            os.kill(process.pid, signal.SIGKILL)
            try:
                obtain("b.example")
            except pylego.EngineError as error:
                told = str(error)
            for thread in threads:
                thread.join(20)
            left.add(seen())
        print(told)
        print(len(left), {count for count, _ in left})
        """
    ).end()
    assert (code, err) == (0, "")
    assert out.startswith("[engine_error] the engine's process was ended by SIGKILL")
    assert out.endswith("\n1 {1}\n")


def test_what_no_thread_can_be_started_for_leaves_nothing(threaded_program):
    out = threaded_program(
        """
        import threading
        before = len(os.listdir("/proc/self/fd"))
        start, started = threading.Thread.start, []
        def refuse(thread):
            started.append(thread)
            if len(started) > 1:
                raise RuntimeError("can't start new thread")
            start(thread)
        threading.Thread.start = refuse
        try:
            obtain()
        except pylego.EngineError as error:
            print(error)
        started[0].join(20)
        print(len(os.listdir("/proc/self/fd")) - before)
        """
    ).end()
    told = "[engine_error] the threads of the engine's process cannot be started: can't start new thread"
    assert out == (0, f"{told}\n0\n", "")


@pytest.mark.parametrize("kind", [PolledPipes, ThreadedPipes])
def test_what_a_process_says_last_is_heard_before_its_end(kind):
    requests, to_it = os.pipe()
    from_it, answers = os.pipe()
    words, errors = os.pipe()
    pipes = kind(to_it, from_it, words)
    os.write(answers, b"a certificate\n")
    for its_own in (requests, answers, errors):
        os.close(its_own)
    before = set(threading.enumerate())
    pipes.begin()
    pipes.say(b"to nobody")
    for thread in set(threading.enumerate()) - before:
        thread.join(20)
    heard = []
    while not heard or heard[-1] is not None:
        pipes.wait()
        heard.append(pipes.receive()[0])
    pipes.close()
    assert b"".join(heard[:-1]) == b"a certificate\n"
