"""An ACME server for tests: Pebble and a small DNS server, inside this process.

```python
with pylego.testing.ACMEServer() as server:
    client = pylego.Client(server.directory, trust=server.trust_root, accept_terms=True)
    certificate = client.obtain("example.com", challenges=server.http01())
```

Under pytest the fixtures `acme_server` and `acme_client` are there by themselves.
Everything listens on loopback, on ports that were free; nothing is written to
disk, and nothing trusts the server's roots unless handed them.
"""

from pylego.testing._server import ACMEServer, DNSChange, Faults, Profile

__all__ = ["ACMEServer", "DNSChange", "Faults", "Profile"]
