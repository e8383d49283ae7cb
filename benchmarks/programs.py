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
_engine.run("contract", {})
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

# Milliseconds of one dns-01 order: argv is directory, trust file, DNS server, URL that
# takes TXT records, and "new" or "warm" for its provider's process.
PROVIDER_HOST = """
import http.server, json, sys, threading, urllib.request
from pathlib import Path
from time import perf_counter
import pylego

directory, trust, dns, records, state = sys.argv[1:]
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

class HTTPReq(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/present":
            record = {"host": sent["fqdn"], "value": sent["value"]}
            direct.open(records, json.dumps(record).encode()).close()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), HTTPReq)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = pylego.Client(directory, trust=Path(trust).read_text(), accept_terms=True, timeout=30)

def order(number, setting):
    challenge = pylego.DNS01(
        "httpreq", resolvers=[dns], check_authoritative=False,
        HTTPREQ_ENDPOINT=f"http://127.0.0.1:{server.server_port}", BENCHMARK=setting,
    )
    began = perf_counter()
    client.obtain(f"{state}{number}.dns.example", challenges=challenge)
    return (perf_counter() - began) * 1000

order(0, "same")
# Another environment is another host.
print(order(1, "same" if state == "warm" else "other"))
"""
