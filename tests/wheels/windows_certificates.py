"""Run by Python for Windows: obtains a certificate by each challenge from a CA outside of Wine."""

import json
import os

import pylego

CA = json.loads(os.environ["CA"])

# Wine 8 refuses a control that Go has for each UDP socket: no name server can be asked.
CHALLENGES = [
    pylego.HTTP01(host="127.0.0.1", port=CA["http_port"]),
    pylego.TLSALPN01(host="127.0.0.1", port=CA["tls_port"]),
    pylego.DNS01("httpreq", propagation_wait=0.1, HTTPREQ_ENDPOINT=CA["httpreq"]),
]

client = pylego.Client(CA["directory"], trust=CA["trust_root"], accept_terms=True, timeout=120)
for number, challenge in enumerate(CHALLENGES):
    certificate = client.obtain(f"host{number}.example", challenges=challenge)
    print(certificate.identifiers[0].value)
