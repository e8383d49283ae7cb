"""Small Python programs that measure themselves; each prints one number."""

# Milliseconds that the package adds to the modules that any program of its kind has.
IMPORT = """
import json, dataclasses, ctypes, logging
from time import perf_counter
began = perf_counter()
import pylego
print((perf_counter() - began) * 1000)
"""

# Whether importing it has loaded Go: 1 or 0.
IMPORT_LOADS_GO = """
import pylego
print(int("lego.so" in open("/proc/self/maps").read()))
"""

# Milliseconds of the first operation, which loads Go and starts the thread. It asks
# for the engine's own tables: nothing is sent anywhere.
FIRST_CALL = """
import pylego
from pylego import _engine
from time import perf_counter
began = perf_counter()
_engine.run(_engine.Call("contract", {}))
print((perf_counter() - began) * 1000)
"""

# Megabytes of this process: argv is Rss or Anonymous, then, for a package, the
# folder of python_worker.py and the command for it.
MEMORY = """
import json, os, sys
if len(sys.argv) > 2:
    sys.path.insert(0, sys.argv[2])
    answers = os.dup(1)  # the log of 0.1.49 must not be the answer
    os.dup2(2, 1)
    import python_worker
    python_worker.run(json.loads(sys.argv[3]))
    os.dup2(answers, 1)
with open("/proc/self/smaps_rollup") as rollup:
    for line in rollup:
        if line.startswith(sys.argv[1] + ":"):
            print(int(line.split()[1]) * 1024 / 1e6)
"""

# One dns-01 order at a time or several: argv is directory, trust file, DNS server, and URL
# that takes TXT records. Another setting is another environment, and so another host.
_BY_DNS = """
import statistics, sys, threading
from pathlib import Path
from time import perf_counter
import pylego

directory, trust, dns, httpreq = sys.argv[1:5]

def client_of(timeout, on_event=None):
    return pylego.Client(directory, trust=Path(trust).read_text(), accept_terms=True,
                         timeout=timeout, on_event=on_event)

def by_dns(setting, **more):
    return pylego.DNS01("httpreq", resolvers=[dns], check_authoritative=False,
                        HTTPREQ_ENDPOINT=httpreq, LEGO_BENCHMARK=setting, **more)
"""

# Milliseconds of one dns-01 order: argv goes on with "new" or "warm" for its provider's host.
PROVIDER_HOST = (
    _BY_DNS
    + """
state = sys.argv[5]
client = client_of(30)

def order(number, setting):
    challenge = by_dns(setting)
    began = perf_counter()
    client.obtain(f"{state}{number}.dns.example", challenges=challenge)
    return (perf_counter() - began) * 1000

order(0, "same")
print(order(1, "same" if state == "warm" else "other"))
"""
)

# Milliseconds by which the CA has an order later that shares its host with a running one
# than an order that needs no host, an order by http-01: argv goes on with its port and the
# number of pairs.
SHARED_HOST = (
    _BY_DNS
    + """
by_http = pylego.HTTP01(host="127.0.0.1", port=int(sys.argv[5]))
running, events = threading.Event(), []
client = client_of(30, events.append)

def run():
    # Its host stays in use for as long as it waits: the exit ends it.
    other = client_of(90, lambda event: event.kind == "presented" and running.set())
    other.obtain("running.dns.example", challenges=by_dns("same", propagation_wait=60))

def taken(name, challenges):
    events.clear()
    client.obtain(name, challenges=challenges)
    return next(event.elapsed * 1000 for event in events if event.kind == "order")

threading.Thread(target=run, daemon=True).start()
if not running.wait(30):
    sys.exit("the first order did not come to run")
taken("first.dns.example", by_http)  # makes the account
pairs = [
    (taken(f"http{number}.dns.example", by_http),
     taken(f"shared{number}.dns.example", by_dns("same")))
    for number in range(int(sys.argv[6]))
]
print(statistics.median(dns - http for http, dns in pairs))
"""
)

# How many times the in-process time of one order another way takes: argv is directory,
# trust file, port of http-01, number of orders, and "process" or "fork".
ELSEWHERE = """
import json, os, statistics, sys
from pathlib import Path
from time import perf_counter
import pylego

directory, trust, port, count, way = sys.argv[1:]
challenges = pylego.HTTP01(host="127.0.0.1", port=int(port))
settings = {"trust": Path(trust).read_text(), "accept_terms": True}

def times(client, prefix):
    client.obtain(f"{prefix}.elsewhere.example", challenges=challenges)
    for number in range(int(count)):
        began = perf_counter()
        client.obtain(f"{prefix}{number}.elsewhere.example", challenges=challenges)
        yield perf_counter() - began

def in_a_child():
    # Both take turns, order by order: a slow moment of the machine meets both.
    go, done = os.pipe(), os.pipe()
    if os.fork() == 0:
        os.close(go[1])  # its end is the parent's
        try:
            for took in times(pylego.Client(directory, **settings), "child"):
                os.write(done[1], json.dumps(took).encode().ljust(32))
                if not os.read(go[0], 1):
                    break
        finally:
            os._exit(0)
    while True:
        yield json.loads(os.read(done[0], 32))
        os.write(go[1], b"x")

here = times(pylego.Client(directory, **settings), "here")
next(here)
there = in_a_child() if way == "fork" else times(
    pylego.Client(directory, isolation="process", **settings), "there")
# Each pair's own ratio: a slow moment meets both of it.
pairs = [(next(here), next(there)) for _ in range(int(count) - 1)]
print(statistics.median(there / here for here, there in pairs))
"""

# Microseconds that Python spends on one event, from the engine's JSON to the callback.
EVENT = """
import json
from threading import Event as Flag
from time import process_time
import pylego
from pylego import _engine
from pylego._engine import callbacks

COUNT = 20000
event = {"kind": "presented", "identifier": "a.example", "challenge": "http-01", "elapsed": 0.5}
call = _engine.Call("contract", {})
_engine.run(call)
engine = _engine.of(call)
seen, last = [], Flag()

def tell(event):
    seen.append(event)
    if len(seen) == COUNT:
        last.set()

job = engine.job()
job.listener = callbacks.Listener(tell, job.cancel)
engine._jobs[job.number] = job
text = json.dumps([{"job": job.number, "type": "event", "event": event}] * 4)
began = process_time()
for _ in range(COUNT // 4):
    for message in json.loads(text):
        engine._dispatch(message)
last.wait()
print((process_time() - began) / COUNT * 1e6)
"""

# An ACME server until stdin ends: it tells where it is, and by what it is trusted.
GUARDED = """
import json, sys
from pylego.testing import ACMEServer

with ACMEServer() as server:
    print(json.dumps({
        "directory": server.directory,
        "trust": server.trust_root,
        "http_port": server.http_port,
        "dns": server.dns,
        "httpreq": server.dns01().variables["HTTPREQ_ENDPOINT"],
    }), flush=True)
    sys.stdin.read()
"""

# Seconds to find that no certificate of a store is due: argv is the store, their number and
# the CA's directory. The files are read from the disk: the system is to forget them before.
NONE_DUE = """
import os, sys
from time import perf_counter

folder, count, directory = sys.argv[1], int(sys.argv[2]), sys.argv[3]
for place, _, files in os.walk(folder):
    for file in files:
        descriptor = os.open(os.path.join(place, file), os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
began = perf_counter()
from pylego import HTTP01
from pylego.renewal import AccountAt, Managed, Manager, Server
from pylego.storage import FileStore

accounts = (AccountAt("bench", Server(directory)),)
names = [f"n{number}.bench.example" for number in range(count)]
managed = [Managed(name, (name,), (HTTP01(),), accounts) for name in names]
report = Manager(FileStore(folder), managed).renew_due()
took = perf_counter() - began
if [outcome.result for outcome in report.outcomes] != ["kept"] * count:
    sys.exit(f"not all are kept: {report.outcomes[0]}")
print(took)
"""

# Seconds to renew certificates of the embedded CA, 16 at once: argv is directory, trust file,
# port of http-01, number, and the folder for a store, or nothing for the engine alone. All are
# issued before; with a store they are saved, and due by the manager's clock.
DUE = """
import asyncio, os, sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from time import perf_counter
import pylego
from pylego.renewal import AccountAt, Managed, Manager, Policy, Server
from pylego.storage import FileStore, Origin

directory, trust, port, count, folder = sys.argv[1:]
challenge = pylego.HTTP01(host="127.0.0.1", port=int(port))
names = [f"n{number}.due.example" for number in range(int(count))]
AT_ONCE = 16

async def issued(again):
    client = pylego.AsyncClient(directory, trust=Path(trust).read_text(), accept_terms=True)
    places = asyncio.Semaphore(AT_ONCE)

    async def each(function, what):
        async with places:
            return await function(what, challenges=challenge)

    first = await each(client.obtain, names[0])  # makes the account
    rest = await asyncio.gather(*(each(client.obtain, name) for name in names[1:]))
    certificates = [first, *rest]
    began = perf_counter()
    if again:
        await asyncio.gather(*(each(client.renew, one) for one in certificates))
    return certificates, client.account, perf_counter() - began

certificates, account, took = asyncio.run(issued(not folder))
if folder:
    store = FileStore(folder)
    store.save_account(account, "bench")
    fsync, os.fsync = os.fsync, lambda _: None
    for name, certificate in zip(names, certificates):
        store.save(name, certificate, origin=Origin(directory, "bench", "EC256"))
    os.fsync = fsync
    os.sync()
    accounts = (AccountAt("bench", Server(directory, trust=trust), accept_terms=True),)
    policy = Policy(heed_advice=False)  # the engine alone does not ask for it, either
    managed = [Managed(name, (name,), (challenge,), accounts, policy=policy) for name in names]
    later = certificates[0].not_after - timedelta(days=1) - datetime.now(timezone.utc)
    clock = lambda: datetime.now(timezone.utc) + later
    manager = Manager(store, managed, clock=clock, parallel=AT_ONCE)
    began = perf_counter()
    report = manager.renew_due()
    took = perf_counter() - began
    failed = [outcome for outcome in report.outcomes if outcome.result != "issued"]
    if failed:
        sys.exit(f"not all are issued: {failed[0]}")
print(took)
"""

# Whether a command of pylego's loads Go: argv is the command; prints 1 or 0 at the end.
COMMAND_LOADS_GO = """
import atexit, sys
from pylego.cli import main

atexit.register(lambda: print(int("lego.so" in open("/proc/self/maps").read())))
main()
"""
