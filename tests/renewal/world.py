"""A world for the real manager: its time, its CAs and its store are the test's, and its seed decides everything.

The CAs are no ACME servers but functions in the place of `Caller`: in Pebble's time a
year takes a year. What they are asked, and what becomes of it, is real.
"""

import itertools
import math
import random
import threading
from collections import Counter, defaultdict
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import pylego
from pylego._operations import GenerateKey, Obtain, OnAccount, ReadRenewalInfo
from pylego.renewal import AccountAt, Managed, Manager, Server
from pylego.renewal._quotas import DAY, HOUR, LETS_ENCRYPT, LETS_ENCRYPT_STAGING, MINUTE, quotas_of
from pylego.storage import StoredText

BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)
SECOND = "https://second.example/directory"
LIVES = (90 * DAY, 47 * DAY, 6 * DAY)
RETRY_AFTER = 20 * HOUR
KEY = Ed25519PrivateKey.generate()
MADE = (
    ec.generate_private_key(ec.SECP256R1())
    .private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    .decode()
)
"""Every key that is made: of the type that is wanted."""

APART = 10 * DAY
"""Troubles of one kind are so far apart, and none is longer than some hours: whoever does
what can be done has time enough to renew what lives for six days."""


class Killed(BaseException):
    """The process is no more: nothing that it does from then on is done."""


class Store:
    """Keeps everything in memory: a store of somebody's own."""

    def __init__(self, step):
        self.certificates, self.origins, self.kept = {}, {}, defaultdict(dict)
        self.locks, self.writes = defaultdict(threading.Lock), Counter()
        self.step = step

    def load(self, name):
        return self.certificates.get(name)

    def texts(self, names):
        return {name: self.text(name) for name in names if name in self.certificates}

    def text(self, name):
        kept = self.certificates[name]
        names = tuple(each.value for each in kept.identifiers)
        return StoredText(name, kept.leaf, names, self.origins[name], kept.order_url)

    def save(self, name, certificate, *, origin):
        self.step()
        self.certificates[name], self.origins[name] = certificate, origin

    def load_account(self, directory, name):
        return self.kept["accounts"].get((directory, name))

    def save_account(self, account, name):
        self.step()
        self.kept["accounts"][account.directory, name] = account

    def pending_key(self, directory, name):
        return None

    def pending(self, name):
        return self.kept["pending"].get(name)

    def save_pending(self, name, pending):
        self.step()
        self.kept["pending"][name] = pending

    def drop_pending(self, name):
        self.step()
        self.kept["pending"].pop(name, None)

    def state(self, name):
        return self.kept["states"].get(name, {})

    def states(self, names):
        return {name: self.state(name) for name in names}

    def save_state(self, name, state):
        self.step()
        self.kept["states"][name] = state
        self.writes[name] += 1

    def stamps(self, names):
        return {
            name: f"{self.certificates[name].serial} {self.writes[name]}"
            for name in names
            if name in self.certificates
        }

    @contextmanager
    def lock(self, name, timeout=None):
        self.step()
        assert self.locks[name].acquire(timeout=-1 if timeout is None else timeout)
        try:
            yield
        finally:
            self.locks[name].release()


def pem(serial, begin, end):
    """Make a certificate of which its moments and its number count."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "any.example")])
    builder = x509.CertificateBuilder(subject, subject, KEY.public_key(), serial, begin, end)
    return builder.sign(KEY, None).public_bytes(Encoding.PEM).decode()


class World:
    """The time, the CAs, what goes wrong, and what must not be."""

    def __init__(self, seed, count, days):
        self.random = random.Random(seed)
        random.seed(seed)  # the manager draws from it, in an order that one thread makes certain
        self.time, self.end = BEGIN, BEGIN + days * DAY
        self.serials, self.story, self.violations = itertools.count(1), [], []
        self.spent, self.orders, self.issued = defaultdict(list), Counter(), defaultdict(list)
        self.asked, self.told, self.moved, self.revoked = {}, {}, {}, {}
        self.begun, self.made, self.by_leaf = {}, {}, {}
        self.down, self.broken = defaultdict(list), defaultdict(list)
        self.kills, self.steps, self.killed = [], math.inf, set()
        self.jumps, self.edges, self.revocations = [], [], []
        self.patience = DAY + HOUR
        self.names = [f"n{number}.example" for number in range(count)]
        self.lives = {name: self.random.choice(LIVES) for name in self.names}
        self.moments = dict.fromkeys(self.names, BEGIN)
        self.store = Store(self.step)
        server = Server(LETS_ENCRYPT, staging=LETS_ENCRYPT_STAGING)
        accounts = AccountAt("main", server), AccountAt("main", Server(SECOND))
        ways = (pylego.HTTP01(),)
        more = {name: (f"www.{name}",) for name in self.names[1::3]}
        self.managed = {
            name: Managed(name, (name, *more.get(name, ())), ways, accounts) for name in self.names
        }

    # What goes wrong

    def troubled(self):
        """Have CAs be away, and challenges fail."""
        for directory in (LETS_ENCRYPT, LETS_ENCRYPT_STAGING, SECOND):
            self.down[directory] = self.periods(20 * HOUR)
        for name in self.names:
            self.broken[name] = self.periods(20 * HOUR)
        self.patience = 4 * DAY

    def jumping(self):
        """Have the clock be wrong, by up to 200 days."""
        for begin, end in self.periods(12 * HOUR):
            self.jumps.append((begin, end, (self.random.random() - 0.5) * 400 * DAY))
        self.edges = [BEGIN, *(edge for begin, end, _ in self.jumps for edge in (begin, end))]
        self.patience = 4 * DAY

    def revoking(self):
        """Have the CAs revoke a third of all certificates, now and then."""
        self.revocations = [begin for begin, _ in self.periods(HOUR)]

    def killing(self):
        """Have the process be killed, a few times in a row, after so many steps."""
        for begin, _ in self.periods(HOUR):
            steps = [self.random.randrange(12) for _ in range(self.random.randrange(8))]
            self.kills += [(begin, each) for each in steps]
        self.kills.reverse()

    def periods(self, longest):
        count = int((self.end - BEGIN) / APART)
        starts = [BEGIN + APART * (place + self.random.random() / 2) for place in range(count)]
        return [(start, start + self.random.random() * longest) for start in starts]

    # The time

    def clock(self):
        """Tell the time as the manager has it."""
        wrong = (by for begin, end, by in self.jumps if begin <= self.time < end)
        return self.time + sum(wrong, timedelta(0))

    def set_since(self):
        """Tell when the clock was set last: what was before cannot be reckoned with by it."""
        return max((edge for edge in self.edges if edge <= self.time), default=BEGIN)

    def is_in(self, periods):
        return any(begin <= self.time < end for begin, end in periods)

    def step(self):
        """Go on, unless it is killed here."""
        self.steps -= 1
        if self.steps < 0:
            raise Killed

    # The CAs

    def check(self, directory):
        if self.is_in(self.down[directory]):
            raise pylego.NetworkError("nobody there")

    def order(self, directory, operation, heard):
        self.check(directory)
        renewed = operation.renewed and self.by_leaf[operation.renewed]
        names = (
            tuple(each.value for each in renewed.identifiers) if renewed else operation.identifiers
        )
        if operation.order in self.begun:
            heard("order_resumed")
            return self.issue(directory, names, operation, operation.order)
        quotas = quotas_of(directory)
        # By the manager's clock. A CA counts what comes before its own, and refuses some.
        exempt = renewed is not None and self.is_open(self.window(renewed))
        if not exempt:
            self.spend((directory, "orders"), quotas.orders)
        heard("order")
        self.orders[directory] += 1
        self.must_be_due(names[0])
        if self.is_in(self.broken[names[0]]):
            name = self.random.choice(names)
            self.spend((directory, "failed", name), quotas.failed_authorizations)
            self.step()
            told = {"identifiers": [{"type": "dns", "value": name}]}
            raise pylego.ChallengeFailed("it is not there", code="challenge_failed", info=told)
        self.step()
        if operation.keep_order is None:
            return None  # a rehearsal
        url = f"{directory}/{next(self.serials)}"
        self.begun[url] = exempt
        return self.issue(directory, names, operation, url)

    def issue(self, directory, names, operation, url):
        operation.keep_order(url, MADE)
        self.step()
        if url not in self.made:
            if not self.begun[url]:
                self.spend((directory, "names", names), quotas_of(directory).duplicates)
            self.made[url] = self.certificate(directory, names, url)
        self.step()
        return self.made[url]

    def certificate(self, directory, names, url):
        name, serial = names[0], next(self.serials)
        begin = (self.time - HOUR).replace(microsecond=0)
        end = begin + self.lives[name]
        certificate = pylego.Certificate(
            leaf=pem(serial, begin, end),
            chain="",
            private_key=MADE,
            csr=None,
            identifiers=tuple(pylego.Identifier("dns", each) for each in names),
            not_before=begin,
            not_after=end,
            serial=f"{serial:x}",
            fingerprint="",
            issuer="",
            url=url,
            order_url=url,
        )
        if self.random.random() < 1 / 3:  # the CA will think better of it
            life = self.lives[name]
            self.moved[certificate.serial] = (
                begin + life * self.random.uniform(0.1, 0.5),
                begin + life * self.random.uniform(0.2, 0.8),
            )
        self.must_be_the_only_one(directory, name)
        self.by_leaf[certificate.leaf] = certificate
        self.issued[name].append(self.time)
        self.story.append((self.time, "issued", name, directory))
        return certificate

    def window(self, certificate):
        begin, end = certificate.not_before, certificate.not_after
        start = begin + (end - begin) * 0.6
        moment, other = self.moved.get(certificate.serial, (end, end))
        if moment <= self.time:
            start = other
        if certificate.serial in self.revoked:
            start = self.revoked[certificate.serial] - 3 * DAY
        return start, start + (end - begin) / 45

    def is_open(self, window):
        """Tell whether an order that replaces a certificate is exempt from limits, as Let's Encrypt does."""
        start, end = window
        return start <= self.clock() < end

    def advise(self, directory, leaf):
        self.check(directory)
        certificate = self.by_leaf[leaf]
        serial = certificate.serial
        last = self.asked.get(serial)
        if last is not None and max(last, self.set_since()) == last < self.time:
            self.must(self.time - last >= RETRY_AFTER, "asked for advice too soon", serial)
        self.asked[serial] = self.time
        window = self.told[serial] = self.window(certificate)
        self.story.append((self.time, "advised", serial))
        return pylego.RenewalInfo(*window, None, BEGIN + RETRY_AFTER)

    def caller(self, directory, *, account, on_event=None, **settings):
        return Caller(self, directory, account, on_event)

    # What must not be

    def must(self, so, *what):
        if not so:
            self.violations.append((self.time, *what))

    def spend(self, what, quota):
        """Take from what a CA allows in any period; of a clock that is set all is forgiven."""
        if quota is not None:
            begin = max(self.time - quota.period, self.set_since())
            recent = [each for each in self.spent[what] if each > begin]
            self.spent[what] = [*recent, self.time]
            self.must(len(recent) < quota.count, "a limit is broken", what)

    def must_be_due(self, name):
        """Nothing is asked for before its time: the CA's moment, or the last part of its life."""
        kept = self.store.certificates.get(name)
        if kept is not None:
            life = kept.not_after - kept.not_before
            own = kept.not_after - life / (2 if life <= 10 * DAY else 3)
            advised, _ = self.told.get(kept.serial, (own, own))
            self.must(self.clock() >= min(own, advised), "it was not due", name)

    def must_be_the_only_one(self, directory, name):
        """No certificate has two successors, nor, unless the CA wants it, one within a day.

        At one CA: a second one takes over also where the first is away and has issued it.
        """
        kept = self.store.certificates.get(name)
        if kept is None:
            lost = [each for each in self.issued[name] if each not in self.killed]
            self.must(not lost, "it was lost", name)
            return
        successor = ("successor", directory, name, kept.serial)
        self.must(not self.spent[successor], "it was issued twice", name)
        self.spent[successor] = [self.time]
        last = self.issued[name][-1]
        # By a clock that is ahead it is old, and a kill has it forgotten that it was issued just now.
        known = last > self.set_since() and last not in self.killed
        if known and not {kept.serial} & {*self.revoked, *self.moved}:
            self.must(self.time - last >= DAY, "it was issued again at once", name)

    def look_around(self):
        """See that none has expired, and that none is left that was revoked."""
        while self.revocations and self.revocations[0] <= self.time:
            self.revocations.pop(0)
            every = sorted(each.serial for each in self.store.certificates.values())
            some = self.random.sample(every, len(every) // 3)
            self.revoked |= {serial: self.time for serial in some if serial not in self.revoked}
        for name, kept in self.store.certificates.items():
            self.must(self.time < kept.not_after, "it has expired", name)
            since = self.revoked.get(kept.serial, self.time)
            self.must(self.time - since <= self.patience, "it is still the revoked one", name)

    def pass_by(self, days=None):
        """Let time pass; each certificate is looked at when it asked to be, and once a day.

        After the clock was set, as by `run`, within the hour.
        """
        end = self.end if days is None else min(self.time + days * DAY, self.end)
        while self.time < end and not self.violations:
            due = [self.managed[name] for name in self.names if self.moments[name] <= self.time]
            manager = Manager(self.store, due, parallel=1, clock=self.clock)
            if self.kills and self.kills[-1][0] <= self.time:
                self.steps = self.kills[-1][1]
            try:
                outcomes = manager.renew_due().outcomes
            except Killed:  # while the index of a hundred and more was being kept
                outcomes = ()
            for outcome in outcomes:
                wait = min(max(outcome.next - self.clock(), MINUTE), DAY)
                self.moments[outcome.id] = self.time + wait
                self.story.append((self.time, str(outcome), outcome.next))
            if self.steps < 0:
                self.story.append((self.time, "killed"))
                self.kills.pop()
                self.killed.add(self.time)
                # What it was told at last is not remembered.
                self.asked = {each: at for each, at in self.asked.items() if at != self.time}
            self.steps = math.inf
            edges = [edge + HOUR for edge in self.edges if edge + HOUR > self.time]
            self.time = min([*self.moments.values(), *edges])
            if self.time in edges:
                self.moments = dict.fromkeys(self.names, self.time)
            self.look_around()
        if self.violations:
            raise AssertionError(self.violations)


class Caller:
    def __init__(self, world, directory, account, on_event):
        self.world, self.directory, self.account = world, directory, account
        self.on_event = on_event

    def perform(self, operation, ending):
        match operation:
            case GenerateKey():
                return MADE
            case OnAccount(name="register"):
                self.world.check(self.directory)
                return pylego.Account(self.account.key, "an account", self.directory)
            case ReadRenewalInfo():
                return self.world.advise(self.directory, operation.certificate)
            case Obtain():
                return self.world.order(self.directory, operation, self.hear)

    def hear(self, kind):
        if self.on_event is not None:  # only where orders are counted
            self.on_event(pylego.Event(kind))
