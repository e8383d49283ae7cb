"""Importing loads no Go; the first operation does, and leaves the process as it was."""

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
    pylego._engine.run("contract", {})
    print(before == state())
    """).end()
    assert (code, out.strip(), err) == (0, "True", "")


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
