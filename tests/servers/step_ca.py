"""step-ca, an ACME server that shares no code with Pebble, as a process of its own."""

import contextlib
import json

from tests.servers.build import executable
from tests.servers.certificates import Authority
from tests.servers.process import ServerProcess, free_ports


class StepCA:
    """step-ca with an ACME provisioner, while the context lasts.

    It resolves names as this machine does: `localhost` and 127.0.0.1 are for tests.
    """

    def __init__(self, folder):
        self.folder = folder

    def __enter__(self):
        port, self.http_port, self.tls_port = free_ports(3)
        self.directory = f"https://localhost:{port}/acme/acme/directory"
        self.trust = self.folder / "root.pem"
        root = Authority("The root of step-ca")
        intermediate = Authority("The intermediate of step-ca", root)
        self.root = root.pem
        self.trust.write_bytes(root.pem)
        (self.folder / "intermediate.pem").write_bytes(intermediate.pem)
        (self.folder / "intermediate-key.pem").write_bytes(intermediate.key_pem)
        (self.folder / "ca.json").write_text(
            json.dumps(
                {
                    "root": "root.pem",
                    "crt": "intermediate.pem",
                    "key": "intermediate-key.pem",
                    "address": f"127.0.0.1:{port}",
                    "dnsNames": ["localhost"],
                    "db": {"type": "bbolt", "dataSource": "db"},
                    "authority": {"provisioners": [{"type": "ACME", "name": "acme"}]},
                }
            )
        )
        process = ServerProcess(
            [
                executable("step-ca"),
                "ca.json",
                "--insecure",  # only then it takes other ports than 80 and 443
                *("--acme-http-port", self.http_port),
                *("--acme-tls-port", self.tls_port),
            ],
            folder=self.folder,
            environment={"STEPPATH": str(self.folder)},
        )
        with contextlib.ExitStack() as stack:
            stack.enter_context(process)
            process.wait_for(self.directory, self.trust)
            self._running = stack.pop_all()
        return self

    def __exit__(self, *exception):
        self._running.close()

    def env(self):
        """Tell where step-ca looks for answers, in pylego's words, and what to trust."""
        return {
            "SSL_CERT_FILE": str(self.trust),
            "HTTP01_PORT": str(self.http_port),
            "TLSALPN01_PORT": str(self.tls_port),
        }
