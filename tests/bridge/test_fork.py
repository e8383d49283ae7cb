"""Forks of a process that has used the engine: both sides go on."""

from pathlib import Path

import pytest

import pylego.testing
from tests.bridge import guest

FORK = {
    "PYTHONWARNINGS": "ignore::DeprecationWarning"
}  # Python 3.12 warns of any fork beside threads

# Run something in a fork; return its exit code.
IN_A_FORK = """
    import sys
    def in_a_fork(function):
        pid = os.fork()
        if pid == 0:
            try:
                function()
                os._exit(0)
            except BaseException as error:
                print(type(error).__name__, error, file=sys.stderr, flush=True)
                os._exit(1)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    def maps_go():
        return "lego.so" in open("/proc/self/maps").read()
"""


@pytest.fixture
def forking(guest_program):
    """Run a program that forks; return what it printed."""

    def run(source, variables=None, **settings):
        environment = {**FORK, **(variables or {})}
        code, out, err = guest_program(IN_A_FORK + source, env=environment, **settings).end()
        assert (code, err) == (0, "")
        return out

    return run


def test_a_fork_before_the_first_call(forking):
    out = forking("""
    print(in_a_fork(lambda: obtain("child.example")), len(obtain("parent.example")) > 0)
    """)
    assert out == "0 True\n"


def test_a_fork_after_a_call_goes_through_a_process_of_its_own(forking):
    out = forking("""
    obtain("before.example")
    def child():
        for challenges in (HTTP01, TLSALPN01, dns01()):
            obtain("child.example", challenges)
        children = open(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read().split()
        [command] = [open(f"/proc/{pid}/cmdline").read().split(chr(0)) for pid in children]
        assert command[1:3] == ["serve", str(os.getpid())], command
    print(in_a_fork(child), len(obtain("parent.example")) > 0)
    """)
    assert out == "0 True\n"


def test_a_grandchild_works_too(forking):
    out = forking("""
    obtain("before.example")
    def child():
        obtain("child.example")
        assert in_a_fork(lambda: obtain("grandchild.example")) == 0
        obtain("child.example")
    print(in_a_fork(child), len(obtain("parent.example")) > 0)
    """)
    assert out == "0 True\n"


def test_forks_during_8_running_calls(forking):
    out = forking("""
    import threading
    started = threading.Barrier(9)
    serials = []
    def call(number):
        def tell(event):
            if event.kind == "order":
                started.wait()
        serials.append(obtain(f"parent{number}.example", on_event=tell))
    threads = [threading.Thread(target=call, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    started.wait()  # the events of eight calls have been told, and none has ended
    print(in_a_fork(lambda: obtain("child.example")))
    print(in_a_fork(lambda: obtain_at_once(8)))
    for thread in threads:
        thread.join()
    print(len(set(serials)), len(obtain_at_once(8)))
    """)
    assert out == "0\n0\n8 8\n"


def test_a_call_that_is_waited_for_in_a_fork_ends_at_once(forking, slow_server):
    # Only a signal handler can fork in the middle of a wait.
    out = forking(
        """
    import signal, threading
    main = threading.get_ident()
    children = []
    def fork(*_):
        children.append(os.fork())
    signal.signal(signal.SIGUSR1, fork)
    def tell(event):
        if event.kind == "triggered":
            signal.pthread_kill(main, signal.SIGUSR1)
    try:
        obtain("a.example", on_event=tell, timeout=5)
    except pylego.LEGOError as error:
        result = str(error)
    os.write(1, f"{children == [0]} {result}\\n".encode())
    if children == [0]:
        os._exit(0)
    os.wait()
    """,
        server=slow_server,
    )
    child, parent = out.splitlines()
    assert child == (
        "True [engine_error] this process was forked during the call, which goes on in the other"
    )
    assert parent.startswith("False [deadline_exceeded]")


def test_a_port_is_free_again_though_a_fork_holds_its_socket(forking):
    out = forking("""
    import signal, socket
    children = []
    def fork():
        pid = os.fork()
        if pid == 0:
            signal.pause()
        children.append(pid)
    def tell(event):
        if event.kind == "presented":
            fork()  # from the callback's thread, while the listener is open
    obtain("a.example", on_event=tell)
    socket.create_server((HTTP01.host, HTTP01.port)).close()
    print(in_a_fork(lambda: obtain("child.example")), len(obtain("b.example")) > 0)
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.wait()
    """)
    assert out == "0 True\n"


def test_two_processes_take_turns_on_one_port(forking):
    out = forking("""
    obtain("before.example")
    import threading
    codes = []
    def children():
        for number in range(2):
            codes.append(in_a_fork(lambda: [obtain(f"child{number}.example") for _ in range(4)]))
    thread = threading.Thread(target=children)
    thread.start()
    for number in range(8):
        obtain(f"parent{number}.example")
    thread.join()
    print(codes)
    """)
    assert out == "[0, 0]\n"


def test_two_processes_listen_on_two_ports_at_once(forking):
    with pylego.testing.ACMEServer() as other:
        out = forking(
            """
    obtain("before.example")
    import threading
    together = os.eventfd(0)
    def child():
        CA.update(json.loads(os.environ["OTHER_CA"]))
        here = pylego.HTTP01(host="127.0.0.1", port=CA["http_port"])
        def tell(event):
            if event.kind == "presented":
                os.eventfd_write(together, 1)
        obtain("child.example", here, on_event=tell)
    def listening(event):
        if event.kind == "presented":
            thread.start()
            os.eventfd_read(together)  # the child listens while we do
    codes = []
    thread = threading.Thread(target=lambda: codes.append(in_a_fork(child)))
    serial = obtain("parent.example", on_event=listening)
    thread.join()
    print(codes, len(serial) > 0)
    """,
            variables={"OTHER_CA": guest.environment(other)["TEST_CA"]},
        )
    assert out == "[0] True\n"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("moment", ["before", "after", "during"])
def test_multiprocessing(forking, method, moment):
    out = forking(
        f"""
    import multiprocessing, threading
    from running_calls import RunningCalls
    go_on = threading.Event()
    running = RunningCalls(go_on)
    if {moment == "after"}:
        obtain("before.example")
    if {moment == "during"}:
        running.start()
    with multiprocessing.get_context({method!r}).Pool(2) as pool:
        serials = pool.map(obtain, [f"child{{number}}.example" for number in range(4)])
    go_on.set()
    if {moment == "during"}:
        serials += running.finish()
    print(len(set(serials)), len(obtain("after.example")) > 0)
    """,
        path=[str(Path(__file__).parents[1] / "frameworks")],
    )
    assert out == f"{12 if moment == 'during' else 4} True\n"


def test_a_fork_leaves_a_server_of_the_tests_to_its_parent(forking):
    out = forking("""
    import pylego.testing
    with pylego.testing.ACMEServer() as server:
        pid = os.fork()
        if pid == 0:
            sys.exit(3)
        print(os.waitstatus_to_exitcode(os.wait()[1]), server.requests())
    """)
    assert out == "3 {}\n"


def test_an_exit_in_a_fork_is_an_exit_of_the_fork(forking):
    out = forking("""
    obtain("before.example")
    pid = os.fork()
    if pid == 0:
        obtain("child.example")
        sys.exit(3)
    print(os.waitstatus_to_exitcode(os.wait()[1]), len(obtain("after.example")) > 0)
    """)
    assert out == "3 True\n"


def test_1000_forks_leave_nothing_behind(forking):
    out = forking("""
    import ctypes
    from processes import SOON, Watched, descendants
    obtain("before.example")
    ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER: what outlives a fork becomes ours
    before = len(os.listdir("/proc/self/fd"))
    codes = set()
    for number in range(1000):
        call = number % 50 == 0
        codes.add(in_a_fork((lambda: obtain("child.example")) if call else (lambda: None)))
    left = Watched(descendants(os.getpid())).left_after(SOON)
    try:
        while True:
            os.waitpid(-1, 0)
    except ChildProcessError:
        pass
    print(codes, left, len(os.listdir("/proc/self/fd")) == before, len(obtain("after.example")) > 0)
    """)
    assert out == "{0} [] True True\n"


def test_a_fork_can_ask_for_a_process_of_its_own_too(forking):
    out = forking("""
    obtain("before.example", isolation="process")
    print(in_a_fork(lambda: obtain("child.example", isolation="process")), maps_go())
    """)
    assert out == "0 False\n"


def test_a_fork_by_c_code_of_which_python_hears_nothing(forking):
    out = forking("""
    obtain("before.example")
    import ctypes
    pid = ctypes.PyDLL(None).fork()
    if pid == 0:
        os._exit(0 if obtain("child.example") else 1)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), len(obtain("after.example")) > 0)
    """)
    assert out == "0 True\n"


def test_a_fork_waits_for_an_engine_that_is_being_opened(forking):
    # A child could never make an import that the fork has interrupted.
    out = forking("""
    import threading
    class Slow:
        opening, go_on = threading.Event(), threading.Event()
        def find_spec(self, name, path=None, target=None):
            if name == "pylego._engine.jobs":
                self.opening.set()
                self.go_on.wait()
    sys.meta_path.insert(0, Slow())
    caller = threading.Thread(target=obtain, args=("parent.example",))
    caller.start()
    Slow.opening.wait()
    os.register_at_fork(before=Slow.go_on.set)  # hooks registered last come first
    print(in_a_fork(lambda: obtain("child.example")))
    caller.join()
    """)
    assert out == "0\n"


def test_a_client_has_one_account_in_all_forks(forking):
    out = forking("""
    shared = client()
    def child():
        shared.obtain("child.example", challenges=HTTP01)
        os.write(told, shared.account.url.encode() + b" ")
    heard, told = os.pipe()
    for _ in range(2):
        assert in_a_fork(child) == 0
    shared.obtain("parent.example", challenges=HTTP01)
    print({*os.read(heard, 1000).decode().split()} == {shared.account.url})
    """)
    assert out == "True\n"


def test_another_thread_of_a_fork_can_fork(forking):
    out = forking("""
    import threading
    obtain("before.example")
    def child():
        codes = []
        thread = threading.Thread(target=lambda: codes.append(in_a_fork(lambda: obtain("grandchild.example"))))
        thread.start()
        thread.join(20)
        assert codes == [0], codes
    print(in_a_fork(child))
    """)
    assert out == "0\n"
