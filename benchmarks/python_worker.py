"""Obtains certificates with whichever pylego this Python has: ours, or 0.1.49.

It takes the commands that go/worker/worker.go describes. What it imports itself would count
as pylego's memory, so it imports little.
"""

from __future__ import annotations

import json
import os
import sys
import time

import pylego

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Obtain = Callable[[int], object]


def challenges_of(command: dict[str, Any]) -> Callable[[int], Any]:
    """Tell by what the order of a number is validated: credentials take turns."""
    dns = command.get("dns")
    if dns is None:
        by_http = pylego.HTTP01(host="127.0.0.1", port=command["port"])
        return lambda _: by_http
    ways = [
        pylego.DNS01(
            dns["provider"],
            resolvers=[dns["resolver"]],
            check_authoritative=False,  # they would be asked at port 53
            check_recursive=dns["looks"],
            **variables,
        )
        for variables in dns["variables"]
    ]
    return lambda number: ways[number % len(ways)]


def ours(command: dict[str, Any], orders: list[list[str]]) -> tuple[Obtain, Obtain]:
    """One function for an account each, one for an account that stays."""
    challenges = challenges_of(command)
    with open(command["trust"]) as file:  # noqa: PTH123 -- see above
        trust = file.read()

    def client() -> pylego.Client:
        return pylego.Client(command["directory"], trust=trust, accept_terms=True)

    staying = client()
    return (
        lambda number: client().obtain(*orders[number], challenges=challenges(number)),
        lambda number: staying.obtain(*orders[number], challenges=challenges(number)),
    )


def on_a_loop(command: dict[str, Any], orders: list[list[str]]) -> float:
    """Obtain all of them with one AsyncClient, after one to make its account."""
    import asyncio  # noqa: PLC0415 -- see above

    with open(command["trust"]) as file:  # noqa: PTH123 -- see above
        trust = file.read()
    challenges = challenges_of(command)

    async def main() -> float:
        client = pylego.AsyncClient(command["directory"], trust=trust, accept_terms=True)
        places = asyncio.Semaphore(command["at_once"])

        async def obtain(number: int) -> None:
            async with places:
                await client.obtain(*orders[number], challenges=challenges(number))

        await obtain(0)
        began = time.perf_counter()
        await asyncio.gather(*map(obtain, range(1, len(orders))))
        return time.perf_counter() - began

    return asyncio.run(main())


def old(command: dict[str, Any], requests: list[str]) -> tuple[Obtain, Obtain]:
    """0.1.49 makes an account for each call and cannot tell its key."""
    settings = {
        "SSL_CERT_FILE": command["trust"],
        "HTTP01_IFACE": "127.0.0.1",
        "HTTP01_PORT": str(command["port"]),
    }

    def obtain(number: int) -> object:
        return pylego.run_lego_command(
            email="bench@bench.example",
            server=command["directory"],
            csr=requests[number].encode(),
            env=settings,
            plugin="http",
        )

    return obtain, obtain


def run(command: dict[str, Any]) -> float:
    """Do what the command says; return the seconds."""
    orders = command["orders"]
    if command.get("on_a_loop"):
        return on_a_loop(command, orders)
    if hasattr(pylego, "Client"):
        each, staying = ours(command, orders)
    else:
        each, staying = old(command, command["requests"])
    first = 0
    if command["same_account"]:
        staying(0)
        first, each = 1, staying
    if command["at_once"] == 1:
        began = time.perf_counter()
        for number in range(first, len(orders)):
            each(number)
        return time.perf_counter() - began
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 -- see above

    began = time.perf_counter()
    with ThreadPoolExecutor(command["at_once"]) as threads:
        for _ in threads.map(each, range(first, len(orders))):
            pass
    return time.perf_counter() - began


def main() -> None:
    """Answer commands until stdin ends."""
    # 0.1.49 prints its log to stdout, where the answers go.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        try:
            answer: dict[str, object] = {"seconds": run(json.loads(line))}
        except Exception as error:  # noqa: BLE001 -- whatever it is goes into the table
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
