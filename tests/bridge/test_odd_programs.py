"""Programs that do unusual things to their process: calls work there all the same."""

import signal
from pathlib import Path

import pytest

from tests.bridge.processes import descendants

everywhere = pytest.mark.parametrize("isolation", ["", "process"])


@pytest.fixture
def odd(guest_program):
    """Run a program; return what it printed."""

    def run(source, isolation, **settings):
        code, out, err = guest_program(
            source, env={"PYLEGO_ISOLATION": isolation}, **settings
        ).end()
        assert (code, err) == (0, "")
        return out

    return run


@everywhere
def test_one_that_reaps_all_its_children(odd, isolation):
    out = odd(
        """
        import signal
        reaped = []
        def reap(*_):
            try:
                while (pid := os.waitpid(-1, os.WNOHANG)[0]):
                    reaped.append(pid)
            except ChildProcessError:
                pass
        signal.signal(signal.SIGCHLD, reap)
        print(len(obtain("a.example", dns01())) > 0, len(obtain("b.example")) > 0)
        """,
        isolation,
    )
    assert out == "True True\n"


@everywhere
def test_one_that_ignores_the_end_of_its_children(odd, isolation):
    out = odd(
        """
        import signal
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        print(len(obtain("a.example", dns01())) > 0, len(obtain("b.example")) > 0)
        """,
        isolation,
    )
    assert out == "True True\n"


@everywhere
def test_one_whose_streams_are_closed_and_whose_log_is_on(odd, isolation, tmp_path):
    odd(
        f"""
        import logging
        logging.basicConfig(filename={str(tmp_path / "log")!r}, level=logging.DEBUG)
        os.environ["LEGO_DEBUG_DNS_API_HTTP_CLIENT"] = "true"
        for descriptor in range(3):
            os.close(descriptor)
        serials = [obtain("a.example"), obtain("b.example", dns01()), obtain("c.example", TLSALPN01)]
        with open({str(tmp_path / "out")!r}, "w") as file:
            file.write(str(len(set(serials))))
        os._exit(0)
        """,
        isolation,
    )
    assert (tmp_path / "out").read_text() == "3"
    assert "POST /present" in (tmp_path / "log").read_text()


@everywhere
def test_one_whose_output_nobody_reads_and_whose_log_is_on(odd, isolation, tmp_path):
    odd(
        f"""
        import logging, signal
        logging.basicConfig(filename={str(tmp_path / "log")!r}, level=logging.DEBUG)
        os.environ["LEGO_DEBUG_DNS_API_HTTP_CLIENT"] = "true"
        reader, writer = os.pipe()
        os.close(reader)
        os.dup2(writer, 1)
        os.dup2(writer, 2)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # as programs in a shell pipeline have it
        serials = [obtain("a.example"), obtain("b.example", dns01())]
        with open({str(tmp_path / "out")!r}, "w") as file:
            file.write(str(len(set(serials))))
        os._exit(0)
        """,
        isolation,
    )
    assert (tmp_path / "out").read_text() == "2"
    assert "POST /present" in (tmp_path / "log").read_text()


@everywhere
def test_one_with_a_fault_handler(odd, isolation):
    out = odd(
        """
        import faulthandler
        faulthandler.enable()
        print(len(obtain()) > 0, faulthandler.is_enabled())
        """,
        isolation,
    )
    assert out == "True True\n"


@everywhere
def test_two_copies_of_the_module_keep_to_their_own_messages(odd, isolation):
    out = odd(
        """
        import importlib, sys
        first = pylego
        first.Client  # its module is loaded at its first use, and found by its name
        for name in [name for name in sys.modules if name.partition(".")[0] == "pylego"]:
            del sys.modules[name]
        import pylego as second
        assert first is not second and first._engine is not second._engine
        def call(module, prefix, number):
            ca = module.Client(CA["directory"], trust=CA["trust_root"], accept_terms=True, timeout=30)
            challenges = module.HTTP01(host="127.0.0.1", port=CA["http_port"])
            name = f"{prefix}{number}.example"
            return ca.obtain(name, challenges=challenges).identifiers[0].value == name
        with ThreadPoolExecutor(16) as threads:
            calls = [
                threads.submit(call, module, prefix, number)
                for number in range(8)
                for module, prefix in ((first, "first"), (second, "second"))
            ]
            print({each.result() for each in calls})
        """,
        isolation,
    )
    assert out == "{True}\n"


@everywhere
def test_a_sub_interpreter_is_refused_in_one_sentence(odd, isolation):
    try:
        import _interpreters as interpreters
    except ImportError:
        interpreters = pytest.importorskip("_xxsubinterpreters")
    del interpreters
    out = odd(
        """
        try:
            import _interpreters as interpreters
        except ImportError:
            import _xxsubinterpreters as interpreters
        source = '''if True:
            import sys
            sys.path[:0] = PATH
            import pylego
            try:
                pylego.Client("https://127.0.0.1/").obtain("a.example", challenges=pylego.HTTP01())
            except pylego.EngineError as error:
                print(error, flush=True)
        '''.replace("PATH", repr(__import__("sys").path))
        sub_interpreter = interpreters.create()
        interpreters.run_string(sub_interpreter, source)
        interpreters.destroy(sub_interpreter)
        """,
        isolation,
    )
    assert out == (
        "[engine_error] pylego runs in a process's main interpreter only, "
        "and this is a sub-interpreter\n"
    )


@everywhere
def test_one_in_another_locale_and_folder_finds_them_as_they_were(odd, isolation, tmp_path):
    out = odd(
        f"""
        import locale
        os.chdir({str(tmp_path)!r})
        def state():
            return locale.setlocale(locale.LC_ALL), os.getcwd(), dict(os.environ)
        before = state()
        with open("root.pem", "w") as file:
            file.write(CA["trust_root"])
        os.environ["SSL_CERT_FILE"] = "root.pem"  # relative to where the caller is
        before[2]["SSL_CERT_FILE"] = "root.pem"
        print(len(obtain(trust=None)) > 0, state() == before)
        """,
        isolation,
    )
    assert out == "True True\n"


@everywhere
def test_nothing_of_ours_is_inherited_but_by_the_host_its_variables(guest_program, isolation):
    running = guest_program(
        """
        import socket, threading
        listener = socket.create_server(("127.0.0.1", 0))
        os.set_inheritable(listener.fileno(), True)
        os.environ["MY_TOKEN"] = "s3cret"
        obtain("a.example", dns01())
        print(os.readlink(f"/proc/self/fd/{listener.fileno()}"), flush=True)
        threading.Event().wait()
        """,
        env={"PYLEGO_ISOLATION": isolation},
    )
    listener = running.line()
    seen = set()
    for pid in descendants(running.process.pid):
        process = Path("/proc", str(pid))
        role = (process / "cmdline").read_text().split("\0")[1]
        seen.add(role)
        assert ("MY_TOKEN" in (process / "environ").read_text()) == (role == "provider")
        assert listener not in [str(each.readlink()) for each in (process / "fd").iterdir()]
    assert seen == ({"serve", "provider"} if isolation else {"provider"})


DEATH = """
        import signal
        def children():
            return "".join(
                open(f"/proc/self/task/{task}/children").read()
                for task in os.listdir("/proc/self/task")
            )
        class Deadly:
            def present(self, presentation):
                os.kill(int(children()), signal.SIGKILL)
            def clean_up(self, presentation):
                pass
"""


def test_the_death_of_the_engine_s_process_fails_its_calls_and_no_later_one(guest_program):
    code, out, err = guest_program(
        DEATH
        + """
        try:
            obtain(challenges=Deadly())
        except pylego.EngineError as error:
            print(error, error.retryable)
        print(len(obtain()) > 0, len(os.listdir("/proc/self/fd")))
        """,
        env={"PYLEGO_ISOLATION": "process"},
    ).end()
    assert (code, err) == (0, "")
    assert out.startswith("[engine_error] the engine's process was ended by SIGKILL")
    assert "True\nTrue" in out


def test_how_it_died_is_not_made_up_where_the_program_ignores_the_end_of_its_children(
    guest_program,
):
    code, out, err = guest_program(
        DEATH
        + """
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        try:
            obtain(challenges=Deadly())
        except pylego.EngineError as error:
            print(error)
        """,
        env={"PYLEGO_ISOLATION": "process"},
    ).end()
    assert (code, err) == (0, "")
    assert "in a way that the program has left unknown" in out


def test_its_death_leaves_no_thread_and_no_descriptor_of_its_event_loop(guest_program):
    out = guest_program(
        DEATH
        + """
        import gc, threading
        class Solver:
            async def present(self, presentation):
                Deadly().present(presentation)
            async def clean_up(self, presentation):
                pass
        left = set()
        for _ in range(4):
            try:
                obtain(challenges=Solver())
            except pylego.EngineError:
                pass
            for thread in threading.enumerate():
                if thread is not threading.current_thread():
                    thread.join(20)  # the engine's, and its loop's
            gc.collect()  # two descriptors last as long as the engine's object
            left.add((threading.active_count(), len(os.listdir("/proc/self/fd"))))
        print(len(left), {threads for threads, _ in left})
        """,
        env={"PYLEGO_ISOLATION": "process"},
    ).end()
    assert out == (0, "1 {1}\n", "")


def test_a_request_that_is_no_json_fails_no_other_call(guest_program):
    out = guest_program(
        """
        import math
        def tell(event):
            if event.kind == "order":
                for value in (math.nan, math.inf, {"deep": [-math.inf]}):
                    try:
                        pylego._engine.run(pylego._engine.Call("contract", {"value": value}))
                    except pylego.InvalidRequest as error:
                        print(error.phase)
        print(len(obtain(on_event=tell)) > 0)
        """,
        env={"PYLEGO_ISOLATION": "process"},
    ).end()
    assert out == (0, "request\nrequest\nrequest\nTrue\n", "")


@everywhere
def test_a_fault_after_the_load_still_has_its_traceback(guest_program, isolation):
    code, out, err = guest_program(
        """
        import ctypes, faulthandler
        faulthandler.enable()
        obtain()
        def fault_here():
            ctypes.string_at(0)
        fault_here()
        """,
        env={"PYLEGO_ISOLATION": isolation},
    ).end()
    assert (code, out) == (-signal.SIGSEGV, "")
    assert "Segmentation fault" in err
    assert "in fault_here" in err
