"""What can go wrong at one request: functions of the proxy's exchange."""

import base64
import datetime as dt
import email.utils
import io
import itertools
import json

from tests.servers.fault_proxy import Answer

ERROR = "urn:ietf:params:acme:error:"
HUGE = 100 << 20
DRIP = 0.1
"""Seconds between two bytes."""


def reset(exchange):
    """The request never reaches the server."""
    exchange.reset()


def reset_answer(exchange):
    """The server has done what it was asked, and nobody learns of it."""
    exchange.ask()
    exchange.reset()


def half_body(exchange):
    """The connection ends in the middle of the answer."""
    answer = exchange.ask()
    whole, answer.body = len(answer.body), answer.body[: len(answer.body) // 2]
    exchange.send(answer, length=whole)
    exchange.close_connection = True


def shortened_body(exchange):
    """The answer lacks its last tenth, and its header does not betray it."""
    answer = exchange.ask()
    answer.body = answer.body[: len(answer.body) * 9 // 10]
    exchange.send(answer)


def garbage(exchange):
    answer = exchange.ask()
    answer.body = b'{"status": ]garbage['
    exchange.send(answer)


def huge_body(exchange):
    """100 MB, of which the proxy counts what it could get rid of."""
    answer = exchange.ask()
    answer.body = b""
    exchange.send(answer, length=HUGE)
    while exchange.proxy.sent < HUGE:
        exchange.wfile.write(bytes(1 << 16))
        exchange.proxy.sent += 1 << 16


def wrong_type(exchange):
    answer = exchange.ask()
    answer.headers["Content-Type"] = "text/html"
    exchange.send(answer)


def drip(exchange):
    """The whole answer, header and all, a byte at a time."""
    answer, connection = exchange.ask(), exchange.wfile
    exchange.wfile = io.BytesIO()
    exchange.send(answer)
    whole, exchange.wfile = exchange.wfile.getvalue(), connection
    for byte in whole:
        connection.write(bytes([byte]))
        if exchange.proxy.ended.wait(DRIP):
            return


def status(code, *, retry_after=None, page=False):
    """An error status: a problem document (RFC 7807), or the page of a proxy before the CA."""
    kind = {429: "rateLimited"}.get(code, "serverInternal")
    problem = {"type": ERROR + kind, "detail": "as the test asked", "status": code}
    headers = {"Content-Type": "text/html" if page else "application/problem+json"}
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    body = b"<html>Try later.</html>" if page else json.dumps(problem).encode()

    def refuse(exchange):
        exchange.send(Answer(code, headers, body))

    return refuse


def redirect(exchange):
    location = f"http://127.0.0.1:{exchange.proxy.port}{exchange.path}"
    exchange.send(Answer(302, {"Location": location}, b""))


def bad_nonces(of_ten):
    """So many nonces of ten are refused, and come back as good as new."""
    numbers = itertools.count()

    def refuse(exchange):
        if exchange.command != "POST" or next(numbers) % 10 >= of_ten:
            exchange.forward()
            return
        protected = json.loads(exchange.body)["protected"]
        nonce = json.loads(base64.urlsafe_b64decode(protected + "=="))["nonce"]
        problem = {"type": ERROR + "badNonce", "detail": "as the test asked", "status": 400}
        headers = {"Content-Type": "application/problem+json", "Replay-Nonce": nonce}
        exchange.send(Answer(400, headers, json.dumps(problem).encode()))

    return refuse


def another_clock(minutes, *, retry_after=None, code=None):
    """The server's clock is off, in its Date as in the date of its Retry-After."""

    def answer_by_it(exchange):
        answer = Answer(code, {}, b"") if code else exchange.ask()
        now = dt.datetime.now(dt.timezone.utc) + dt.timedelta(minutes=minutes)
        answer.headers["Date"] = email.utils.format_datetime(now, usegmt=True)
        if retry_after is not None:
            later = now + dt.timedelta(seconds=retry_after)
            answer.headers["Retry-After"] = email.utils.format_datetime(later, usegmt=True)
        exchange.send(answer)

    return answer_by_it
