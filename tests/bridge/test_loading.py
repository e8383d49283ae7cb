"""Importing loads no Go; the first operation does, and leaves the process as it was."""

import sys

import pytest

SHOW = """
    import os, pkgutil, importlib, threading
    def go():
        return "lego.so" in open("/proc/self/maps").read()
"""


def test_importing_every_module_loads_no_go_and_starts_no_thread(program):
    code, out, err = program(
        SHOW
        + """
    import pylego
    for module in pkgutil.walk_packages(pylego.__path__, "pylego."):
        importlib.import_module(module.name)
    print(go(), threading.active_count())
    """
    ).end()
    assert (code, out.split(), err) == (0, ["False", "1"], "")


def test_importing_loads_neither_asyncio_nor_the_thread_pools(program):
    code, out, err = program("""
    import sys, pylego
    print(sorted({"asyncio", "concurrent.futures", "datetime", "rich", "typer", "typing"} & set(sys.modules)))
    """).end()
    assert (code, out.strip(), err) == (0, "[]", "")


def test_the_first_operation_loads_go(program):
    code, out, err = program(
        SHOW
        + """
    import pylego.testing
    with pylego.testing.ACMEServer():
        print(go())
    """
    ).end()
    assert (code, out.strip(), err) == (0, "True", "")


def test_loading_restores_what_go_changes(program):
    code, out, err = program("""
    import locale, os, resource, signal
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    def state():
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        umask = os.umask(0o22); os.umask(umask)
        handlers = [signal.getsignal(n) for n in signal.valid_signals() if n < 32]
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        return limit, mask, umask, os.getcwd(), handlers, locale.setlocale(locale.LC_ALL)
    before = state()
    import pylego._engine
    pylego._engine.run(pylego._engine.Call("contract", {}))
    print(before == state())
    """).end()
    assert (code, out.strip(), err) == (0, "True", "")


CAUGHT_BY_GO = {"SIGBUS", "SIGFPE", "SIGSEGV", "SIGURG"}
"""Go cannot do without these handlers: it finds its own faults by them, and stops its threads."""


@pytest.mark.parametrize("where", ["main", "another"])
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_loading_catches_no_signal_but_those_that_go_needs(program, where):
    code, out, err = program(f"""
    import signal, threading
    def state():
        lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
        return [int(lines[name], 16) for name in ("SigBlk", "SigIgn", "SigCgt")]
    signal.signal(signal.SIGUSR1, lambda *_: None)
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    def load():
        import pylego._engine
        pylego._engine.run(pylego._engine.Call("contract", {{}}))
    blocked, ignored, caught = state()
    thread = threading.Thread(target=load)
    thread.run() if {where!r} == "main" else (thread.start(), thread.join())
    after = state()
    print(after[:2] == [blocked, ignored], caught & ~after[2])
    print(*(s.name for s in signal.Signals if (after[2] & ~caught) >> (s - 1) & 1))
    """).end()
    same, names = out.splitlines()
    assert (code, same, err) == (0, "True 0", "")
    assert set(names.split()) == CAUGHT_BY_GO


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_is_spawned_inherits_the_ignored_sigpipe_as_before(program):
    code, out, err = program("""
    import os, pylego._engine
    def spawn():
        command = ["grep", "SigIgn", "/proc/self/status"]
        os.waitpid(os.posix_spawnp(command[0], command, os.environ), 0)
    spawn()
    pylego._engine.run(pylego._engine.Call("contract", {}))
    spawn()
    """).end()
    before, after = out.splitlines()
    assert (code, err) == (0, "")
    assert before == after


def test_the_streams_of_the_process_stay_open_through_go_s_garbage_collections(program):
    # Go closes a file that nothing refers to any more; its os.Stdout is replaced
    # at the load, and descriptor 1 must not go with it.
    code, out, err = program("""
    import sys, pylego.testing
    with pylego.testing.ACMEServer() as server:
        client = pylego.Client(server.directory, trust=server.trust_root, accept_terms=True)
        for number in range(8):
            client.obtain(f"a{number}.example", challenges=server.http01())
    print("out"); print("err", file=sys.stderr)
    """).end()
    assert (code, out, err) == (0, "out\n", "err\n")
