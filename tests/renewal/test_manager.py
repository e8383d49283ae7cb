"""The manager keeps certificates valid: what is due is done, and nothing else."""

import sys
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import pylego
from pylego._operations import GenerateKey
from pylego.renewal import (
    AccountAt,
    Hooks,
    Manager,
    Metrics,
    Policy,
    Server,
    _case,
    _orders,
    _quotas,
)
from pylego.renewal._books import Books
from pylego.renewal._decision import Advice
from pylego.renewal._orders import request_of
from pylego.renewal._quotas import HOUR, Quota, Quotas
from pylego.storage import FileStore, Origin
from pylego.testing import Faults

HEED = Policy()
HMAC = "aGVsbG8taGVsbG8taGVsbG8taGVsbG8taGVsbG8taGVsbG8"
"""Of an external account."""


def results(report):
    return {each.id: each.result for each in report.outcomes}


def test_what_is_missing_is_obtained_and_then_left_alone(new_manager, managed, store, acme_server):
    wildcard = managed("b.example", "*.c.example", challenge=acme_server.dns01())
    manager = new_manager(managed("a.example"), wildcard)
    assert results(manager.status()) == {"a.example": "due", "b.example": "due"}
    assert results(manager.renew_due()) == {"a.example": "issued", "b.example": "issued"}
    assert store.load("b.example").private_key
    [text] = store.texts(["a.example"]).values()
    asked_for = {"must_staple": False, "common_name": False}
    assert text.origin == Origin(acme_server.directory, "main", "EC256", **asked_for)
    asked = acme_server.requests()
    assert results(manager.renew_due()) == {"a.example": "kept", "b.example": "kept"}
    assert acme_server.requests() == asked


def test_all_certificates_have_one_account(new_manager, managed, store, acme_server):
    new_manager(*[managed(f"{number}.example") for number in range(6)]).renew_due()
    assert acme_server.requests()["newAccount"] == 1
    assert store.accounts() == [(acme_server.directory, "main")]


def test_what_is_due_is_renewed_and_the_ca_told_what_it_replaces(
    new_manager, managed, store, clock, acme_server
):
    manager = new_manager(managed("a.example"))
    manager.renew_due()
    before = store.load("a.example")
    clock.pass_by(days=59)
    [kept] = manager.renew_due().outcomes
    assert kept.result == "kept"
    assert kept.next == before.not_after - (before.not_after - before.not_before) / 3
    clock.pass_by(days=2)
    [renewed] = manager.renew_due().outcomes
    assert renewed.result == "issued"
    after = store.load("a.example")
    assert after.serial != before.serial
    assert after.private_key != before.private_key
    assert store.pending("a.example") is None


def test_a_key_and_a_profile_stay_where_that_is_wanted(new_manager, managed, store, clock):
    manager = new_manager(managed("a.example", reuse_key=True, key_type="EC384"))
    manager.renew_due()
    before = store.load("a.example")
    clock.pass_by(days=70)
    manager.renew_due()
    after = store.load("a.example")
    assert after.serial != before.serial
    assert after.private_key == before.private_key


@pytest.mark.acme_server(profiles={"one": "the first", "two": "the second"})
def test_the_profile_of_the_first_issuance_is_that_of_the_next(new_manager, managed, store, clock):
    new_manager(managed("a.example", profile="two")).renew_due()
    clock.pass_by(days=70)
    assert results(new_manager(managed("a.example")).renew_due()) == {"a.example": "issued"}
    assert store.texts()["a.example"].origin.profile == "two"


@pytest.mark.parametrize(
    "change",
    [
        {"key_type": "EC384"},
        {"domains": ("a.example", "b.example")},
        {"must_staple": True},
        {"common_name": True},
    ],
)
def test_what_is_to_be_another_is_obtained_at_once(new_manager, managed, store, clock, change):
    certificate = managed("a.example")
    new_manager(certificate).renew_due()
    clock.pass_by(hours=1)
    changed = replace(certificate, **change)
    [due] = new_manager(changed).status().outcomes
    assert "it is to be another" in due.why
    assert results(new_manager(changed).renew_due()) == {"a.example": "issued"}
    [kept] = new_manager(changed).renew_due().outcomes
    assert kept.result == "kept"
    assert set(kept.names) == set(changed.domains)


def test_the_ca_s_advice_is_asked_for_when_it_may_be_and_followed(
    new_manager, managed, store, clock, acme_server
):
    manager = new_manager(managed("a.example", policy=HEED))
    manager.renew_due()
    certificate = store.load("a.example")
    manager.renew_due()
    asked = acme_server.requests()["renewalInfo"]
    past = datetime.now(timezone.utc) - timedelta(days=2)
    acme_server.set_renewal_info(certificate.leaf, past, past + timedelta(days=1))
    assert results(manager.renew_due()) == {"a.example": "kept"}
    assert acme_server.requests()["renewalInfo"] == asked == 1
    clock.pass_by(days=1)
    assert results(manager.renew_due()) == {"a.example": "issued"}
    assert acme_server.requests()["renewalInfo"] == 2
    assert store.load("a.example").serial != certificate.serial
    assert results(manager.renew_due()) == {"a.example": "kept"}


def test_the_moment_in_the_ca_s_window_is_chosen_once_also_for_another_process(
    new_manager, managed, store, clock, acme_server
):
    certificate = managed("a.example", policy=HEED)
    new_manager(certificate).renew_due()
    start = datetime.now(timezone.utc) + timedelta(days=20)
    leaf = store.load("a.example").leaf
    acme_server.set_renewal_info(leaf, start, start + timedelta(days=5))
    moments = set()
    for asked in range(1, 4):
        clock.pass_by(days=1)
        new_manager(certificate).renew_due()
        assert acme_server.requests()["renewalInfo"] == asked
        [outcome] = new_manager(certificate).status().outcomes
        moments.add(outcome.when)
    [moment] = moments
    assert start <= moment <= start + timedelta(days=5)


def test_advice_that_the_ca_does_not_give_is_asked_for_later(
    new_manager, managed, clock, acme_server
):
    manager = new_manager(managed("a.example", policy=HEED))
    manager.renew_due()
    acme_server.set_faults(Faults("renewalInfo", status=404, status_count=1))
    [kept] = manager.renew_due().outcomes
    assert not kept.failed
    assert kept.next > clock()


@pytest.mark.acme_server(blocked_names=["bad.example"])
def test_a_failure_is_remembered_and_holds_no_other_up(
    new_manager, managed, store, clock, acme_server
):
    certificates = managed("bad.example"), managed("good.example")
    report = new_manager(*certificates).renew_due()
    assert results(report) == {"bad.example": "failed", "good.example": "issued"}
    [failed] = report.failed
    assert isinstance(failed.error, pylego.RejectedIdentifier)
    assert failed.failures == 1
    assert timedelta(minutes=0.9) < failed.next - clock() < timedelta(minutes=1.3)

    asked = acme_server.requests()["newOrder"]
    [waiting, _] = new_manager(*certificates).renew_due().outcomes  # another process's
    assert waiting.result == "waiting"
    assert waiting.last_error in waiting.why
    assert acme_server.requests()["newOrder"] == asked

    clock.pass_by(minutes=2)
    [again, _] = new_manager(*certificates).renew_due().outcomes
    assert again.result == "failed"
    assert again.failures == 2


def test_the_ca_s_own_trouble_concerns_all_its_certificates(
    new_manager, managed, clock, acme_server
):
    acme_server.set_faults(Faults("directory", status=500, status_count=-1))
    first = new_manager(managed("a.example"), timeout=5).renew_due()
    assert results(first) == {"a.example": "failed"}
    acme_server.set_faults()
    both = new_manager(managed("a.example"), managed("b.example"))
    assert results(both.renew_due()) == {"a.example": "waiting", "b.example": "waiting"}
    clock.pass_by(minutes=2)
    assert results(both.renew_due()) == {"a.example": "issued", "b.example": "issued"}


def test_a_limit_that_only_the_ca_knows_is_waited_for_as_long_as_it_says(
    new_manager, managed, clock, acme_server
):
    acme_server.set_faults(Faults("newOrder", status=429, status_count=-1, retry_after="7200"))
    manager = new_manager(managed("a.example"))
    [failed] = manager.renew_due().outcomes
    assert isinstance(failed.error, pylego.RateLimited)
    assert timedelta(minutes=119) < failed.next - clock() <= timedelta(minutes=120)
    acme_server.set_faults()
    asked = acme_server.requests()["newOrder"]
    clock.pass_by(minutes=118)  # which is longer than it waits after a first failure
    [waiting] = manager.renew_due().outcomes
    assert (waiting.result, waiting.next) == ("waiting", failed.next)
    assert "rateLimited" in waiting.why
    assert acme_server.requests()["newOrder"] == asked
    clock.pass_by(minutes=3)
    assert results(manager.status()) == {"a.example": "due"}


def test_a_retry_is_rehearsed_at_the_staging(
    new_manager, managed, clock, tmp_path, acme_server, second_server
):
    roots = tmp_path / "both.pem"
    roots.write_text(acme_server.trust_root + second_server.trust_root)
    server = Server(acme_server.directory, trust=str(roots), staging=second_server.directory)
    account = AccountAt("main", server, accept_terms=True)
    certificate = managed(
        "a.example", accounts=(account,), challenge=Both(acme_server, second_server)
    )
    Both.broken = True
    manager = new_manager(certificate)
    assert results(manager.renew_due()) == {"a.example": "failed"}
    assert "newOrder" not in second_server.requests()
    clock.pass_by(minutes=2)
    assert results(manager.renew_due()) == {"a.example": "failed"}
    assert second_server.requests()["newOrder"] == acme_server.requests()["newOrder"] == 1
    Both.broken = False
    clock.pass_by(minutes=4)
    [issued] = manager.renew_due().outcomes
    assert (issued.result, issued.directory) == ("issued", acme_server.directory)
    assert second_server.requests()["newOrder"] == acme_server.requests()["newOrder"] == 2


def test_a_limit_of_the_staging_s_holds_the_certificate_up_nowhere_else(
    new_manager, managed, clock, tmp_path, acme_server, second_server
):
    roots = tmp_path / "both.pem"
    roots.write_text(acme_server.trust_root + second_server.trust_root)
    server = Server(acme_server.directory, trust=str(roots), staging=second_server.directory)
    account = AccountAt("main", server, accept_terms=True)
    second_server.set_faults(
        Faults("newOrder", status=429, status_count=-1, retry_after=str(3 * 24 * 3600))
    )
    both = Both(acme_server, second_server)
    manager = new_manager(managed("a.example", accounts=(account,), challenge=both))
    Both.broken = True
    assert results(manager.renew_due()) == {"a.example": "failed"}
    Both.broken = False
    clock.pass_by(minutes=2)
    assert results(manager.renew_due()) == {"a.example": "issued"}
    assert second_server.requests()["newOrder"] == 1


class Both:
    """Sets the record at both servers, unless it is broken."""

    type = "dns-01"
    broken = False

    def __init__(self, *servers):
        self.servers = servers

    def present(self, presentation):
        for server in () if self.broken else self.servers:
            server.add_txt(presentation.name, presentation.value)

    def clean_up(self, presentation):
        for server in self.servers:
            server.remove_txt(presentation.name, presentation.value)


@pytest.mark.acme_server(blocked_names=["a.example"])
def test_a_second_ca_takes_over(
    new_manager, managed, reached, store, clock, acme_server, second_server
):
    first = AccountAt("main", reached(acme_server), accept_terms=True)
    second = AccountAt("main", reached(second_server), accept_terms=True)
    both = Both(acme_server, second_server)
    manager = new_manager(managed("a.example", accounts=(first, second), challenge=both))
    for _ in range(2):
        assert results(manager.renew_due()) == {"a.example": "failed"}
        clock.pass_by(minutes=5)
    [issued] = manager.renew_due().outcomes
    assert (issued.result, issued.directory) == ("issued", second_server.directory)
    assert store.texts()["a.example"].origin.directory == second_server.directory
    assert results(manager.renew_due()) == {"a.example": "kept"}


@pytest.mark.acme_server(profiles={"one": "the first", "two": "the second"})
def test_a_profile_is_asked_for_again_where_the_ca_is_back_and_where_that_is_rehearsed(
    new_manager, managed, reached, store, clock, acme_server, second_server, monkeypatch
):
    asked = []
    order = _orders._order

    def watched(case, directory, *args, **more):
        made = order(case, directory, *args, **more)
        asked.append((directory, made.profile))
        return made

    monkeypatch.setattr(_orders, "_order", watched)
    staging = "https://127.0.0.1:1/directory"
    first = AccountAt("main", reached(acme_server, staging=staging), accept_terms=True)
    second = AccountAt("main", reached(second_server), accept_terms=True)
    both = {"accounts": (first, second), "challenge": Both(acme_server, second_server)}
    new_manager(managed("a.example", profile="two", **both)).renew_due()
    clock.pass_by(days=70)
    acme_server.set_faults(Faults("newOrder", status=403, status_count=-1))
    manager = new_manager(managed("a.example", **both))
    while not manager.renew_due().issued:
        clock.pass_by(minutes=5)
    assert asked[-1] == (second_server.directory, None)
    acme_server.set_faults()
    clock.pass_by(days=70)
    assert manager.renew_due().issued
    assert asked[-1] == (acme_server.directory, "two")
    case = _case.case_of(managed("a.example", **both), None, {}, clock())
    kept = replace(case, origin=store.texts()["a.example"].origin)
    assert kept.profile_at(staging) == kept.profile_at(acme_server.directory) == "two"


def test_what_cannot_be_read_is_told_and_not_overwritten(
    new_manager, managed, store, clock, acme_server
):
    certificates = managed("a.example"), managed("b.example")
    new_manager(*certificates).renew_due()
    crt = Path(store.folder, "certificates", "a.example.crt")
    crt.write_text(half := crt.read_text()[:200])
    clock.pass_by(days=70)
    report = new_manager(*certificates).renew_due()
    assert results(report) == {"a.example": "failed", "b.example": "issued"}
    assert isinstance(report.failed[0].error, pylego.StorageError)
    assert crt.read_text() == half


@pytest.mark.parametrize("reuse_key", [False, True])
def test_a_key_that_is_not_the_certificate_s_is_replaced_with_it_but_not_used(
    new_manager, managed, store, clock, acme_server, reuse_key
):
    certificates = managed("a.example", reuse_key=reuse_key), managed("b.example")
    new_manager(*certificates).renew_due()
    folder = Path(store.folder, "certificates")
    other = folder.joinpath("b.example.key").read_text()
    folder.joinpath("a.example.key").write_text(other)
    clock.pass_by(days=70)
    report = new_manager(*certificates).renew_due()
    assert results(report)["a.example"] == ("failed" if reuse_key else "issued")
    if reuse_key:
        assert "do not belong together" in str(report.failed[0].error)
        assert folder.joinpath("a.example.key").read_text() == other
    else:
        assert store.load("a.example").private_key != other  # which is in an archive
        [archive] = Path(store.folder, "archives", "certificates").glob("a.example_*.zip")
        assert other.encode() in archive.read_bytes()


def test_a_state_that_is_none_is_forgotten(new_manager, managed, store, acme_server):
    certificates = managed("a.example"), managed("b.example")
    new_manager(*certificates).renew_due()
    state = Path(store.folder, "pylego", "state", "a.example.json")
    state.write_text("{")
    assert results(new_manager(*certificates).renew_due()) == {
        "a.example": "kept",
        "b.example": "kept",
    }


def test_a_new_account_s_key_is_on_disk_before_the_ca_hears_of_it(
    new_manager, managed, store, clock, acme_server
):
    acme_server.set_faults(Faults("newAccount", status=403, status_count=1))
    [failed] = new_manager(managed("a.example")).renew_due().outcomes
    assert failed.result == "failed"
    before = store.load_account(acme_server.directory, "main")
    assert before.url is None
    clock.pass_by(minutes=2)
    new_manager(managed("a.example")).renew_due()
    after = store.load_account(acme_server.directory, "main")
    assert after.url is not None
    assert after.key == before.key


@pytest.mark.parametrize("told", [True, False])
def test_a_change_of_the_account_s_key_that_was_cut_off_is_settled(
    new_manager, new_client, managed, store, acme_server, told
):
    new_manager(managed("a.example")).renew_due()
    directory = acme_server.directory
    account = store.load_account(directory, "main")
    other = new_client(acme_server).register().key
    key = new_client(acme_server)._run(GenerateKey("EC256"), None)
    store.save_pending_key(directory, "main", key)
    if told:
        new_client(acme_server, account=account).rollover(new_key=key)
    assert results(new_manager(managed("b.example")).renew_due()) == {"b.example": "issued"}
    assert store.pending_key(directory, "main") is None
    assert store.load_account(directory, "main").key == (key if told else account.key) != other


def test_two_certificates_cannot_have_one_name(store, managed):
    with pytest.raises(pylego.InvalidRequest, match="two certificates"):
        Manager(store, [managed("a.example"), managed("a.example")])


def test_a_certificate_needs_an_account(store, managed):
    with pytest.raises(pylego.InvalidRequest, match="no account"):
        Manager(store, [managed("a.example", accounts=())])


def test_a_second_account_at_the_same_ca_which_nobody_would_use_is_refused(
    store, managed, reached, acme_server
):
    server = reached(acme_server)
    accounts = AccountAt("one", server), AccountAt("other", server)
    with pytest.raises(pylego.InvalidRequest, match="only 'one' would be used, and not 'other'"):
        Manager(store, [managed("a.example", accounts=accounts)])


def test_the_events_of_each_certificate_are_told(new_manager, managed):
    heard = []
    told = []
    manager = new_manager(
        managed("a.example"),
        on_event=lambda name, event: heard.append((name, event.kind)),
        on_outcome=told.append,
    )
    report = manager.renew_due()
    assert ("a.example", "issued") in heard
    assert tuple(told) == report.outcomes
    assert "a.example: issued" in str(told[0])


def test_what_is_not_due_is_renewed_where_that_is_forced(new_manager, managed, store, clock):
    manager = new_manager(managed("a.example"))
    manager.renew_due()
    before = store.load("a.example")
    clock.pass_by(hours=1)
    assert results(manager.renew_due(force=True)) == {"a.example": "issued"}
    assert store.load("a.example").serial != before.serial


@pytest.mark.acme_server(blocked_names=["a.example"])
def test_force_ends_no_wait_after_a_failure(new_manager, managed, acme_server):
    manager = new_manager(managed("a.example"))
    manager.renew_due()
    asked = acme_server.requests()["newOrder"]
    assert results(manager.renew_due(force=True)) == {"a.example": "waiting"}
    assert acme_server.requests()["newOrder"] == asked


def test_no_more_is_begun_at_once_than_a_limit_allows(
    new_manager, managed, monkeypatch, acme_server
):
    quotas = Quotas(orders=Quota(3, timedelta(hours=3)))
    monkeypatch.setitem(_quotas.QUOTAS, acme_server.directory, quotas)
    manager = new_manager(*[managed(f"{number}.example") for number in range(8)])
    counts = Counter(results(manager.renew_due()).values())
    assert counts == {"issued": 3, "waiting": 5}
    assert acme_server.requests()["newOrder"] == 3


@pytest.mark.parametrize("replaced", [False, True])
def test_a_renewal_in_the_ca_s_window_counts_only_where_it_does_not_say_what_it_replaces(
    new_manager, new_client, managed, store, monkeypatch, clock, acme_server, replaced
):
    quotas = Quotas(orders=Quota(3, timedelta(hours=3)), advised_are_exempt=True)
    monkeypatch.setitem(_quotas.QUOTAS, acme_server.directory, quotas)
    manager = new_manager(managed("a.example", policy=HEED))
    manager.renew_due()
    certificate = store.load("a.example")
    if replaced:  # by somebody who has the account, too
        account = store.load_account(acme_server.directory, "main")
        new_client(acme_server, account=account).renew(certificate, challenges=acme_server.http01())
    clock.pass_by(days=1)
    acme_server.set_renewal_info(certificate.leaf, clock() - timedelta(days=1), clock() + HOUR)
    monkeypatch.setattr(Advice, "moment", property(lambda self: self.start))
    assert results(manager.renew_due()) == {"a.example": "issued"}
    ledger = Books(store).ledger(acme_server.directory, "main")
    assert len(ledger.authority.orders.past) == int(replaced)


def test_what_a_clock_that_was_ahead_has_written_counts_and_holds_nothing_up_for_ever(
    new_manager, managed, monkeypatch, clock, acme_server
):
    quotas = Quotas(orders=Quota(3, timedelta(hours=3)))
    monkeypatch.setitem(_quotas.QUOTAS, acme_server.directory, quotas)
    clock.pass_by(days=365)
    assert (
        len(new_manager(*[managed(f"{number}.example") for number in range(3)]).renew_due().issued)
        == 3
    )
    clock.pass_by(days=-365)
    manager = new_manager(managed("a.example"))
    [waiting] = manager.renew_due().outcomes
    assert waiting.result == "waiting"
    assert waiting.next - clock() <= timedelta(hours=3)
    assert acme_server.requests()["newOrder"] == 3
    clock.pass_by(hours=3)
    assert results(manager.renew_due()) == {"a.example": "issued"}


def test_names_keep_their_order_in_a_renewal(new_manager, managed, store, clock):
    manager = new_manager(managed("b.example", "a.example", "c.example"))
    for _ in range(2):
        manager.renew_due()
        names = [each.value for each in store.load("b.example").identifiers]
        assert names == ["b.example", "a.example", "c.example"]
        clock.pass_by(days=70)


def test_metrics_are_told_how_all_certificates_stand(new_manager, managed):
    pytest.importorskip("prometheus_client")
    metrics = Metrics()
    manager = new_manager(managed("a.example"), managed("b.example"), metrics=metrics)
    manager.renew_due()
    samples = {
        (sample.name, *sample.labels.values()): sample.value
        for family in metrics.collect()
        for sample in family.samples
    }
    assert samples["pylego_certificates",] == 2
    assert samples["pylego_attempts_total", "issued"] == 2
    [first, _] = manager.status().outcomes
    expiry = samples["pylego_certificate_expiry_timestamp_seconds", "a.example"]
    assert expiry == first.not_after.timestamp()


def test_a_name_that_no_certificate_can_have_holds_no_other_up(new_manager, managed):
    impossible = replace(managed("b.example"), name="..")
    report = new_manager(managed("a.example"), impossible).renew_due()
    assert results(report) == {"a.example": "issued", "..": "failed"}
    assert isinstance(report.failed[0].error, pylego.InvalidRequest)
    assert report.issued == report.outcomes[:1]
    assert report.due == report.outcomes


def test_the_longest_name_is_obtained_and_renewed(new_manager, managed, store):
    longest = ".".join(["a" * 60] * 4) + ".b.example"  # 253 characters
    certificate = replace(managed(longest, common_name=False), request={"ca": "any"})
    manager = new_manager(certificate)
    assert manager.renew_due().issued
    assert manager.renew_due(force=True).issued
    assert store.certificate_ids() == [longest]
    assert request_of(store, longest) == {"ca": "any"}
    assert store.pending(longest) is None


def test_where_a_pfx_is_whose_password_is_not_known_nothing_is_ordered(
    new_manager, managed, store, clock, acme_server
):
    certificate = managed("a.example")
    with_password = FileStore(store.folder, pfx_password="s3cret")
    Manager(with_password, [certificate]).renew_due()
    file = Path(store.folder, "certificates", "a.example.pfx")
    before, asked = file.read_bytes(), acme_server.requests()
    clock.pass_by(days=70)
    manager = new_manager(certificate)
    [failed] = manager.renew_due().failed
    assert "a.example.pfx" in failed.why
    assert "give the password" in failed.why
    [told] = new_manager(certificate).status().outcomes
    assert told.last_error == failed.why
    assert acme_server.requests() == asked
    assert file.read_bytes() == before
    clock.pass_by(hours=1)
    assert Manager(with_password, [certificate], clock=clock).renew_due().issued
    assert file.read_bytes() != before


def test_a_disk_that_takes_no_order_has_none_issued(new_manager, managed, store, monkeypatch):
    # A full disk cannot be had here at this very moment.
    def full(*_):
        raise pylego.StorageError("no space left on the device")

    monkeypatch.setattr(store, "save_pending", full)
    [failed] = new_manager(managed("a.example")).renew_due().outcomes
    assert failed.result == "failed"
    assert "no space left" in failed.why
    assert store.load("a.example") is None


def test_a_disk_that_takes_nothing_ends_no_hook_and_no_other(
    new_manager, managed, store, monkeypatch, clock
):
    called = []
    hooks = Hooks(pre=lambda about: called.append("pre"), post=lambda about: called.append("post"))

    def full(*_):  # as above
        raise pylego.StorageError("no space left on the device")

    monkeypatch.setattr(store, "save_state", full)
    [failed] = new_manager(managed("a.example", hooks=hooks)).renew_due().outcomes
    assert failed.result == "failed"
    assert called == ["pre", "post"]
    assert failed.next > clock()


def test_an_account_that_the_ca_has_lost_is_made_anew_and_kept(
    new_manager, managed, store, acme_server
):
    new_manager(managed("a.example")).renew_due()
    before = store.load_account(acme_server.directory, "main")
    acme_server.restart()
    assert new_manager(managed("b.example")).renew_due().issued
    after = store.load_account(acme_server.directory, "main")
    assert after.key == before.key
    assert after.url != before.url
    assert after.directory == before.directory


@pytest.mark.acme_server(external_accounts={"kid": HMAC})
def test_an_external_account_is_bound_again_where_the_ca_has_lost_the_account(
    new_manager, managed, reached, store, tmp_path, acme_server
):
    file = tmp_path / "hmac"
    file.write_text(HMAC)
    external = {"accept_terms": True, "kid": "kid", "hmac_key_file": str(file)}
    account = AccountAt("main", reached(acme_server), **external)
    manager = new_manager(managed("a.example", accounts=(account,)))
    assert manager.renew_due().issued
    before = store.load_account(acme_server.directory, "main")
    acme_server.restart()
    assert manager.renew_due(force=True).issued
    assert store.load_account(acme_server.directory, "main").url != before.url
    file.unlink()  # which nobody needs as long as the account is there
    assert manager.renew_due(force=True).issued


def test_code_of_somebody_s_that_ends_its_thread_is_a_failure_and_holds_nothing_up(
    new_manager, managed, clock
):
    def exits(name, event):
        if name == "a.example":
            sys.exit("no more of that")

    manager = new_manager(managed("a.example"), managed("b.example"), on_event=exits)
    report = manager.renew_due()
    assert results(report) == {"a.example": "failed", "b.example": "issued"}
    [failed] = report.failed
    assert failed.why == "SystemExit: no more of that"
    assert isinstance(failed.error.__cause__, SystemExit)
    assert failed.next > clock()
