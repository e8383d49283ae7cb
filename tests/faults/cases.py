"""Every fault of the other side, and how an order ends that meets it.

docs/faults.md shows this list; table.py writes it there.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.faults import faults

STEPS = {
    "directory": ("directory", 0),
    "newNonce": ("newNonce", 0),
    "newAccount": ("newAccount", 0),
    "newOrder": ("newOrder", 0),
    "authorization": ("authorization", 0),
    "challenge": ("challenge", 0),
    "authorization, polled": ("authorization", 1),
    "finalize": ("finalize", 0),
    "order": ("order", 0),
    "certificate": ("certificate", 0),
}
"""The requests of an order in turn: their kind, and how many of that kind come before."""


@dataclass(frozen=True)
class Outcome:
    """How an order ends: by default with a certificate."""

    error: str = ""
    """The class of the error."""
    code: str = ""
    retryable: bool | None = None
    says: str = ""
    """A part of its text."""
    retry_after: int | None = None
    """The seconds of the Retry-After header, where the error passes them on."""


CERTIFICATE = Outcome()
UNREACHABLE = Outcome("NetworkError", "network_error", True, "cannot reach")
BROKEN_OFF = Outcome("NetworkError", "network_error", True, "broke off")
TO_HTTP = Outcome("NetworkError", "lego_client_creation_failed", False, "by https only")
NO_DIRECTORY = Outcome(
    "NetworkError", "lego_client_creation_failed", False, "does not answer with an ACME directory"
)
NO_OBJECT = Outcome("LEGOError", "certificate_obtain_failed", True, "no ACME object")
NO_PEM = Outcome("LEGOError", "certificate_obtain_failed", True, "no PEM certificate")
PART_OF_CHAIN = Outcome("LEGOError", "certificate_obtain_failed", True, "a part is missing")
TOO_LARGE = Outcome("LEGOError", "certificate_obtain_failed", True, "more than 4 MB")
NO_ANSWER = Outcome("DeadlineExceeded", "deadline_exceeded", True, "has not answered yet")
NOT_VALIDATED = Outcome(
    "DeadlineExceeded", "deadline_exceeded", True, "not yet validated: a.example"
)


@dataclass(frozen=True)
class Case:
    """One fault, at each step of an order of its own."""

    title: str
    make: Callable
    """Makes the fault."""
    often: str = "once"
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    """By step; `else` is every other."""
    deadline: float = 40

    @property
    def name(self):
        return f"{self.title}, {self.often}"

    @property
    def times(self):
        return 1 if self.often == "once" else -1

    def outcome(self, step):
        return self.outcomes.get(step, self.outcomes.get("else", CERTIFICATE))


def _no_body(**outcomes):
    """What concerns bodies does not concern newNonce, whose answer has none."""
    return {"newNonce": CERTIFICATE, **outcomes}


def _refused(error, code, says, status, *, retry_after=None):
    """A refusal by a problem document, which the answer to newNonce, a HEAD, cannot have."""
    return {
        "newNonce": Outcome(
            "AccountError", "account_registration_failed", True, f"HTTP {status}", retry_after
        ),
        "else": Outcome(error, code, True, says, retry_after),
    }


def _page(status, *, retry_after=None):
    """A refusal without a problem document, by a proxy before the CA say."""
    says = f"HTTP {status}"
    account = Outcome("AccountError", "account_registration_failed", True, says, retry_after)
    challenge = Outcome("ChallengeFailed", "challenge_failed", True, says, retry_after)
    return {
        "directory": Outcome(
            "NetworkError", "lego_client_creation_failed", True, says, retry_after
        ),
        "newNonce": account,
        "newAccount": account,
        "challenge": challenge,
        "authorization, polled": challenge,
        "else": Outcome("LEGOError", "certificate_obtain_failed", True, says, retry_after),
    }


def _status(code, **settings):
    return lambda: faults.status(code, **settings)


def _plain(fault):
    return lambda: fault


_LIMITED = ("RateLimited", "rateLimited", "as the test asked", 429)
_TROUBLED = ("ServerInternal", "serverInternal", "as the test asked", 503)
_BROKEN = ("ServerInternal", "serverInternal", "as the test asked", 500)
_PARTS = {"directory": NO_DIRECTORY, "newAccount": CERTIFICATE, "challenge": CERTIFICATE}

CASES = (
    Case("connection reset before the request is read", _plain(faults.reset)),
    Case(
        "connection reset before the request is read",
        _plain(faults.reset),
        "always",
        {"else": UNREACHABLE},
    ),
    Case("connection reset after the request is done", _plain(faults.reset_answer)),
    Case(
        "connection reset after the request is done",
        _plain(faults.reset_answer),
        "always",
        {"else": UNREACHABLE},
    ),
    Case("half a body, then the end of the connection", _plain(faults.half_body)),
    Case(
        "half a body, then the end of the connection",
        _plain(faults.half_body),
        "always",
        _no_body(**{"else": BROKEN_OFF}),
    ),
    Case(
        "a body without its end, of the length that the header tells",
        _plain(faults.shortened_body),
        outcomes=_no_body(**_PARTS, certificate=PART_OF_CHAIN, **{"else": NO_OBJECT}),
    ),
    Case(
        "garbage in the place of JSON or PEM",
        _plain(faults.garbage),
        outcomes=_no_body(**_PARTS, certificate=NO_PEM, **{"else": NO_OBJECT}),
    ),
    Case("a body of 100 MB", _plain(faults.huge_body), outcomes=_no_body(**{"else": TOO_LARGE})),
    Case("Content-Type: text/html", _plain(faults.wrong_type), "always"),
    Case(
        "ten bytes a second",
        _plain(faults.drip),
        outcomes={
            "challenge": NOT_VALIDATED,
            "authorization, polled": NOT_VALIDATED,
            "else": NO_ANSWER,
        },
        deadline=10,
    ),
    Case("HTTP 429", _status(429), outcomes=_refused(*_LIMITED)),
    Case("HTTP 429, Retry-After: 1", _status(429, retry_after=1)),
    Case(
        "HTTP 429, Retry-After: 1",
        _status(429, retry_after=1),
        "always",
        _refused(*_LIMITED, retry_after=1),
    ),
    Case(
        "HTTP 429, Retry-After: 3600",
        _status(429, retry_after=3600),
        outcomes=_refused(*_LIMITED, retry_after=3600),
    ),
    Case("HTTP 429 without a problem document", _status(429, page=True), outcomes=_page(429)),
    Case("HTTP 503", _status(503)),
    Case("HTTP 503", _status(503), "always", _refused(*_TROUBLED)),
    Case("HTTP 503, Retry-After: 1", _status(503, retry_after=1)),
    Case(
        "HTTP 503, Retry-After: 1",
        _status(503, retry_after=1),
        "always",
        _refused(*_TROUBLED, retry_after=1),
    ),
    Case(
        "HTTP 503, Retry-After: 3600, without a problem document",
        _status(503, retry_after=3600, page=True),
        outcomes=_page(503, retry_after=3600),
    ),
    Case("HTTP 500", _status(500)),
    Case("HTTP 500", _status(500), "always", _refused(*_BROKEN)),
    Case("HTTP 500 without a problem document", _status(500, page=True), "always", _page(500)),
    Case("a redirect to http", _plain(faults.redirect), outcomes={"else": TO_HTTP}),
    Case("nonces refused, nine of ten", lambda: faults.bad_nonces(9), "always"),
    Case(
        "nonces refused, every one",
        lambda: faults.bad_nonces(10),
        "always",
        {
            "directory": CERTIFICATE,
            "newNonce": CERTIFICATE,
            "challenge": Outcome("ChallengeFailed", "badNonce", True, "as the test asked"),
            "authorization, polled": Outcome(
                "ChallengeFailed", "badNonce", True, "as the test asked"
            ),
            "else": Outcome("ACMEError", "badNonce", True, "as the test asked"),
        },
    ),
    Case("a clock 10 minutes ahead", lambda: faults.another_clock(10, retry_after=1), "always"),
    Case("a clock 10 minutes behind", lambda: faults.another_clock(-10, retry_after=1), "always"),
    Case(
        "HTTP 503 with a Retry-After by a clock 10 minutes ahead",
        lambda: faults.another_clock(10, retry_after=1, code=503),
    ),
    Case(
        "HTTP 503 with a Retry-After by a clock 10 minutes behind",
        lambda: faults.another_clock(-10, retry_after=1, code=503),
    ),
)


@dataclass(frozen=True)
class Shown:
    """An HTTPS certificate of the CA's that an order meets at its first connection."""

    title: str
    begins: dt.timedelta = -dt.timedelta(days=1)
    """Its validity's begin, counted from now."""
    name: str = "127.0.0.1"
    trusted: bool = True
    outcome: Outcome = CERTIFICATE


def _distrusted(says):
    return Outcome("NetworkError", "network_error", False, says)


SHOWN = (
    Shown(
        "an HTTPS certificate that has expired",
        begins=-dt.timedelta(days=40),
        outcome=_distrusted("not valid now (is this machine's clock right?)"),
    ),
    Shown(
        "an HTTPS certificate that begins in 10 minutes",
        begins=dt.timedelta(minutes=10),
        outcome=_distrusted("not valid now (is this machine's clock right?)"),
    ),
    Shown(
        "an HTTPS certificate of another name",
        name="other.example",
        outcome=_distrusted("a certificate of another name"),
    ),
    Shown(
        "an HTTPS certificate of an unknown root",
        trusted=False,
        outcome=_distrusted("no trusted root"),
    ),
)

RESTART = "killed and started again without its memory, before the request"
"""Of a CA; an order ends in a certificate wherever it happens."""
