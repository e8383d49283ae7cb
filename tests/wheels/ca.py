"""The embedded CA as a program: prints where it is, and ends with its stdin."""

import json
import sys

import pylego.testing

TOLD = ("directory", "trust_root", "http_port", "tls_port", "httpreq")

with pylego.testing.ACMEServer() as server:
    print(json.dumps({name: getattr(server, name) for name in TOLD}), flush=True)
    sys.stdin.read()
