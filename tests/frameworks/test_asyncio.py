"""Calls in threads of asyncio's and of uvloop's executors."""

import sys

import pytest

ON_A_LOOP = """
    import asyncio, sys, threading
    from guest import *
    def run(main):
        if sys.argv[1:] == ["uvloop"]:
            import uvloop
            return uvloop.run(main)
        return asyncio.run(main)
"""

everywhere = pytest.mark.parametrize("isolation", ["", "process"])
every_loop = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])


@pytest.fixture
def on_a_loop(framework_program):
    """Start a program whose `run` is asyncio's or uvloop's."""

    def start(source, *, loop, isolation, **settings):
        chosen = f"""
    import sys
    sys.argv[1:] = [{loop!r}]
"""
        return framework_program(
            chosen + ON_A_LOOP + source, env={"PYLEGO_ISOLATION": isolation}, **settings
        )

    return start


@everywhere
@every_loop
def test_calls_in_the_default_executor_and_in_threads(on_a_loop, loop, isolation):
    out = on_a_loop(
        """
    async def main():
        loop = asyncio.get_running_loop()
        calls = [loop.run_in_executor(None, obtain, f"t{number}.example") for number in range(8)]
        calls += [asyncio.to_thread(obtain, f"u{number}.example") for number in range(8)]
        print(type(loop).__module__, len(set(await asyncio.gather(*calls))))
    run(main())
    """,
        loop=loop,
        isolation=isolation,
    ).end()
    module = {"asyncio": "asyncio.unix_events", "uvloop": "uvloop"}[loop]
    assert out == (0, f"{module} 16\n", "")


@everywhere
@every_loop
def test_the_loop_waits_for_the_call_of_a_cancelled_task(on_a_loop, loop, isolation):
    out = on_a_loop(
        """
    serials = []
    async def main():
        loop = asyncio.get_running_loop()
        running, go_on = asyncio.Event(), threading.Event()
        def tell(event):
            if event.kind == "order":
                loop.call_soon_threadsafe(running.set)
                go_on.wait()
        def call():
            serials.append(obtain("a.example", on_event=tell))
        task = asyncio.create_task(asyncio.to_thread(call))
        await running.wait()
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            print("cancelled", serials)
        go_on.set()
    run(main())
    print(len(serials))
    """,
        loop=loop,
        isolation=isolation,
    ).end()
    assert out == (0, "cancelled []\n1\n", "")


@pytest.mark.skipif(
    sys.version_info < (3, 11), reason="SIGINT cancels asyncio.run's task since Python 3.11"
)
@everywhere
@every_loop
def test_ctrl_c_cancels_the_task_that_can_then_cancel_the_call(
    on_a_loop, slow_server, loop, isolation
):
    running = on_a_loop(
        """
    class Stopped(Exception):
        pass
    stop = threading.Event()
    def tell(event):
        if event.kind == "triggered":
            print("triggered", flush=True)
            stop.wait()
            raise Stopped
    async def main():
        call = asyncio.ensure_future(
            asyncio.to_thread(obtain, "a.example", dns01(), timeout=None, on_event=tell)
        )
        try:
            await asyncio.wait([call])  # which leaves it alone; Python 3.14 logs what a shielded one raises
        except asyncio.CancelledError:
            stop.set()  # an exception of the callback's cancels the call
            print(type((await asyncio.gather(call, return_exceptions=True))[0]).__name__)
            raise
    try:
        run(main())
    except KeyboardInterrupt as error:
        print(type(error).__name__)
    """,
        server=slow_server,
        loop=loop,
        isolation=isolation,
    )
    assert running.line() == "triggered"
    running.interrupt()
    assert running.end() == (0, "Stopped\nKeyboardInterrupt\n", "")
    assert slow_server.records() == {}
    assert "pending" not in slow_server.authorizations()
