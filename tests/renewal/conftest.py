"""A store, a CA, and managers over both, whose clock tests can set."""

from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from pylego.renewal import Manager
from pylego.renewal._decision import Policy
from pylego.renewal._managed import AccountAt, Managed, Server
from pylego.storage import FileStore
from pylego.testing import ACMEServer


class Clock:
    """The time, and so much later."""

    def __init__(self):
        self.ahead = timedelta(0)

    def __call__(self):
        return datetime.now(timezone.utc) + self.ahead

    def pass_by(self, **time):
        self.ahead += timedelta(**time)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path):
    return FileStore(tmp_path / "store")


@pytest.fixture
def second_server():
    with ACMEServer() as server:
        yield server


@pytest.fixture
def reached(tmp_path):
    """Say how a server is reached: `reached(server, staging=...)`."""

    def reached(server, **settings):
        path = tmp_path / f"{server.directory.rpartition(':')[2].partition('/')[0]}.pem"
        path.write_text(server.trust_root)
        return Server(server.directory, trust=str(path), **settings)

    return reached


@pytest.fixture
def managed(acme_server, reached):
    """Describe a certificate of the test's CA: `managed("a.example", reuse_key=True)`."""

    def managed(*names, challenge=None, **settings):
        account = AccountAt("main", reached(acme_server), accept_terms=True)
        defaults = {"accounts": (account,), "policy": Policy(heed_advice=False)}
        challenge = challenge or acme_server.http01()
        return Managed(names[0], names, (challenge,), **{**defaults, **settings})

    return managed


@pytest.fixture
def new_manager(store, clock):
    """Make managers: `new_manager(certificate, ...)`; each is stopped at the test's end."""
    with ExitStack() as stack:

        def new_manager(*certificates, **settings):
            manager = Manager(store, certificates, **{"clock": clock, "timeout": 60, **settings})
            stack.callback(manager.stop)
            return manager

        yield new_manager


@pytest.fixture
def renamed():
    """Have a certificate name something else."""

    def renamed(certificate, *names):
        return replace(certificate, domains=names)

    return renamed


CHILD = """
import functools, os, signal, sys
from pylego import HTTP01
from pylego.renewal import AccountAt, Managed, Manager, Policy, Server
from pylego.storage import FileStore

class Store(FileStore):
    pass

server = Server(os.environ["DIRECTORY"], trust=os.environ["TRUST"])
account = AccountAt("main", server, accept_terms=True)
ways = (HTTP01("127.0.0.1", int(os.environ["PORT"])),)
policy = Policy(heed_advice=False)
certificates = [
    Managed(name, (name,), ways, (account,), policy=policy) for name in os.environ["NAMES"].split()
]
"""

RENEW = """
print("ready", flush=True)
sys.stdin.readline()
report = Manager(Store(os.environ["STORE"]), certificates, parallel=2).renew_due()
print(*[each.result for each in report.outcomes], flush=True)
"""


@pytest.fixture
def child(program, acme_server, reached, store):
    """Start a manager in a process of its own: `child("a.example", before="...")`."""

    def child(*names, before="", then=RENEW, launcher=()):
        env = {
            "DIRECTORY": acme_server.directory,
            "TRUST": reached(acme_server).trust,
            "PORT": str(acme_server.http_port),
            "STORE": store.folder,
            "NAMES": " ".join(names),
        }
        return program(CHILD + before + then, env=env, launcher=launcher)

    return child


def go_on(*started):
    """Have managers begin at once, when all are ready."""
    for each in started:
        assert each.line() == "ready"
    for each in started:
        each.type("\n")


def ended(*started):
    """Have managers begin at once; return how they ended, or how the only one did."""
    go_on(*started)
    ends = [each.end() for each in started]
    return ends if len(ends) > 1 else ends[0]
