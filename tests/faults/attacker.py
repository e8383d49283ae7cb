"""Strangers who abuse a responder's port: python attacker.py PORT TLS.

Prints a line when its 10,000 connections have been made and all else has been
tried; then it goes on until it is killed.
"""

import collections
import contextlib
import itertools
import resource
import socket
import ssl
import sys
import threading
import time

CONNECTIONS = 10_000
SLOW = 50
SPARE = 200
"""Descriptors for all other abuses."""
HEADER = b"GET /.well-known/acme-challenge/%d HTTP/1.1\r\nHost: a.example\r\n"
# The CA of the tests is 127.0.0.1; where strangers share its address, they share its places.
STRANGER = ("127.0.0.2", 0) if sys.platform == "linux" else None


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=5, source_address=STRANGER)


def flood(port):
    """Open connections and say nothing; in waves, where descriptors are few."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = CONNECTIONS + SPARE
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    held = collections.deque()
    for _ in range(CONNECTIONS):
        if len(held) == most - SPARE:
            held.popleft().close()
        held.append(connect(port))
    return held


def say(port, *parts, pause=0.0):
    """Send parts, then read what is answered."""
    with connect(port) as connection:
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)
        while connection.recv(1 << 16):
            pass


def slow_header(port):
    say(port, HEADER % 1, *(b"X-%d: y\r\n" % number for number in range(1000)), pause=0.2)


def large_header(port):
    say(port, HEADER % 2, b"X-Padding: " + b"x" * (1 << 20) + b"\r\n\r\n")


def many_headers(port):
    say(port, HEADER % 3, b"X-Padding: xxxxxxxx\r\n" * 50_000 + b"\r\n")


def large_body(port):
    say(port, HEADER % 4, b"Content-Length: 1000000000\r\n\r\n", b"x" * (1 << 20))


def wrong_host(port):
    say(port, HEADER.replace(b"a.example", b"other.example") % 5, b"Connection: close\r\n\r\n")


def garbage(port):
    say(port, bytes(range(256)) * 4096)


def large_hello(port):
    """Send TLS records of the largest size, of a ClientHello that tells 16 MB."""
    say(
        port,
        b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + bytes((1 << 14) - 4),
        b"\x16\x03\x01\x40\x00" + bytes(1 << 14),
    )


def slow_hello(port):
    say(port, b"\x16\x03\x01\x02\x00", *itertools.repeat(b"\x01", 500), pause=0.2)


def handshake(port, name, *protocols):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(protocols)
    with connect(port) as bare, context.wrap_socket(bare, server_hostname=name):
        pass


def wrong_protocol(port):
    handshake(port, "a.example", "h2", "http/1.1")


def no_protocol(port):
    handshake(port, "a.example")


def wrong_name(port):
    handshake(port, "other.example", "acme-tls/1")


def go_on(abuse, port, done):
    while True:
        with contextlib.suppress(OSError):  # to be thrown out is what strangers are used to
            abuse(port)
        done.release()
        time.sleep(0.01)


def main():
    port, tls = int(sys.argv[1]), sys.argv[2] == "tls"
    quick = [garbage, large_header]
    if tls:
        quick += [large_hello, wrong_protocol, no_protocol, wrong_name]
    else:
        quick += [many_headers, large_body, wrong_host]
    held = flood(port)
    done = {abuse: threading.Semaphore(0) for abuse in [*quick, slow_hello, slow_header]}
    for abuse in [*quick * 5, *[slow_hello if tls else slow_header] * SLOW]:
        threading.Thread(target=go_on, args=(abuse, port, done[abuse]), daemon=True).start()
    for abuse in quick * 20:
        done[abuse].acquire()
    sys.stdout.write(f"{len(held)} connections are held\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
