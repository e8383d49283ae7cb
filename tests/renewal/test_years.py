"""A year of the real manager in a minute: none expires, no limit is broken, none is issued twice.

In the long run SOAK_SEED is the seed, printed to be used again.
"""

import logging
import os
import random
import secrets
from dataclasses import replace
from types import SimpleNamespace

import pytest

from pylego.renewal import AccountAt, Policy, Server, _attempt, _caller, _case, _history, _quotas
from pylego.renewal._history import History
from pylego.renewal._quotas import DAY, HOUR, LETS_ENCRYPT, LETS_ENCRYPT_STAGING, MINUTE, Quota
from pylego.renewal._tally import Tally
from tests.renewal.world import BEGIN, SECOND, World


@pytest.fixture
def new_world(monkeypatch):
    def new_world(seed, count=8, days=100):
        world = World(seed, count, days)
        monkeypatch.setattr(_caller, "Caller", world.caller)
        # By it Retry-After is reckoned: a microsecond would make another run.
        monkeypatch.setattr(_attempt, "datetime", SimpleNamespace(now=lambda _: BEGIN))
        return world

    before = random.getstate()
    yield new_world
    random.setstate(before)


def with_all_troubles(world):
    world.troubled()
    world.jumping()
    world.revoking()
    world.killing()
    return world


def test_without_troubles_each_is_renewed_at_its_time(new_world):
    world = new_world(0)
    world.pass_by()
    for name in world.names:
        lives = (world.time - BEGIN) / world.lives[name]
        assert lives * 1.2 - 1 <= len(world.issued[name]) <= lives * 5 + 1
    assert set(world.orders) == {LETS_ENCRYPT}
    assert {origin.directory for origin in world.store.origins.values()} == {LETS_ENCRYPT}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_with_all_troubles_none_expires_no_limit_is_broken_and_none_is_issued_twice(
    new_world, seed
):
    world = with_all_troubles(new_world(seed))
    world.pass_by()
    assert world.orders[LETS_ENCRYPT_STAGING] > 0
    assert world.orders[SECOND] > 0
    assert world.revoked
    assert world.moved
    assert world.killed


@pytest.mark.slow
def test_a_seed_is_a_run(new_world):
    stories = []
    for seed in (5, 5, 6):
        world = with_all_troubles(new_world(seed, count=4, days=30))
        world.pass_by()
        stories.append(world.story)
    assert stories[0] == stories[1] != stories[2]


def decide_otherwise(monkeypatch, **otherwise):
    decide = _case.decide

    def decided(facts, *told, **more):
        decision = decide(facts, *told, **more)
        return decision if facts is None else replace(decision, **otherwise)

    monkeypatch.setattr(_case, "decide", decided)


SABOTAGE = {
    "it was not due": lambda patch: decide_otherwise(patch, due=True),
    "it has expired": lambda patch: decide_otherwise(patch, due=False, when=BEGIN + 1000 * DAY),
    "asked for advice too soon": lambda patch: decide_otherwise(patch, ask_at=BEGIN),
    "it was issued again at once": lambda patch: patch.setattr(
        History, "calm", lambda self, begin, life, now: now
    ),
    "it is still the revoked one": lambda patch: decide_otherwise(patch, ask_at=None),
}


@pytest.mark.parametrize("what", SABOTAGE)
def test_the_world_notices_what_must_not_be(new_world, monkeypatch, what):
    world = with_all_troubles(new_world(1))
    SABOTAGE[what](monkeypatch)
    with pytest.raises(AssertionError):
        world.pass_by()
    assert {why for _, why, *_ in world.violations} == {what}


def test_the_world_notices_what_is_issued_twice(new_world, monkeypatch):
    world = new_world(1)
    unadvised = Policy(heed_advice=False)
    world.managed = {name: replace(each, policy=unadvised) for name, each in world.managed.items()}
    world.pass_by(10)
    monkeypatch.setattr(world.store, "save", lambda *_, **__: None)
    with pytest.raises(AssertionError):
        world.pass_by(50)
    assert world.violations[0][1] == "it was issued twice"


@pytest.mark.parametrize("heeded", [True, False])
def test_a_limit_holds_where_nobody_waits_for_anything_else(new_world, monkeypatch, heeded):
    monkeypatch.setattr(_history, "INTERVALS", (5 * MINUTE,))
    world = new_world(1, count=1, days=1)
    world.broken = {"n0.example": [(BEGIN, world.end)]}
    alone = (AccountAt("main", Server(LETS_ENCRYPT)),)  # without a staging to rehearse at
    world.managed = {name: replace(each, accounts=alone) for name, each in world.managed.items()}
    if heeded:
        world.pass_by()
        assert 5 * 20 < world.orders[LETS_ENCRYPT] <= 5 * 24
    else:
        monkeypatch.setattr(Tally, "free", lambda self, quota, now: now)
        with pytest.raises(AssertionError):
            world.pass_by()
        assert {why for _, why, *_ in world.violations} == {"a limit is broken"}


def test_a_limit_holds_where_the_ca_revokes_everything_at_once(new_world, monkeypatch):
    world = new_world(1, days=15)
    world.pass_by(10)
    limits = replace(_quotas.QUOTAS[LETS_ENCRYPT], orders=Quota(3, 3 * HOUR))
    monkeypatch.setitem(_quotas.QUOTAS, LETS_ENCRYPT, limits)
    world.revoked = {each.serial: world.time for each in world.store.certificates.values()}
    revoked = set(world.revoked)
    world.pass_by()
    assert not revoked & {each.serial for each in world.store.certificates.values()}


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_a_year_of_many_certificates_with_all_troubles(new_world, caplog):
    caplog.set_level(logging.CRITICAL, "pylego")  # pytest would keep it all, gigabytes
    seed = int(os.environ.get("SOAK_SEED", secrets.randbelow(2**32)))
    print(f"\nSOAK_SEED={seed}")  # noqa: T201 -- to be used again
    world = with_all_troubles(new_world(seed, count=500, days=400))
    world.pass_by()
    for name in world.names:
        assert len(world.issued[name]) >= 400 * DAY / world.lives[name]
