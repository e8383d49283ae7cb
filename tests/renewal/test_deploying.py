"""Hooks around attempts: in which order, with what, and what is owed when one fails."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from pylego.renewal import Hook, Hooks
from pylego.renewal._hooks import files_of
from pylego.renewal._together import Together

PATIENCE = 60


class Told:
    """Functions for hooks, which keep what they are told; `broken` ones fail then."""

    def __init__(self):
        self.calls = []
        self.broken = set()

    def hooks(self):
        return Hooks(*[self.hook(name) for name in ("pre", "deploy", "post")])

    def hook(self, name):
        def hook(about):
            self.calls.append((name, about))
            if name in self.broken:
                raise RuntimeError(f"{name} is broken")

        return hook

    @property
    def names(self):
        return [name for name, _ in self.calls]


@pytest.fixture
def told():
    return Told()


def test_hooks_run_around_an_attempt_and_when_the_certificate_is_there(
    new_manager, managed, store, told, clock
):
    manager = new_manager(managed("a.example", hooks=told.hooks()))
    manager.renew_due()
    assert told.names == ["pre", "deploy", "post"]
    pre, deploy, post = (about for _, about in told.calls)
    assert pre.files.certificate is None
    assert deploy == post
    assert deploy.files == files_of(store, "a.example")
    assert (deploy.id, deploy.account, deploy.renewal) == ("a.example", "main", False)
    manager.renew_due()
    assert len(told.calls) == 3
    clock.pass_by(days=70)
    manager.renew_due()
    assert [about.renewal for _, about in told.calls[3:]] == [True, True, True]


def test_a_hook_that_fails_before_has_nobody_asked_and_is_tried_later(
    new_manager, managed, told, clock, acme_server
):
    told.broken.add("pre")
    manager = new_manager(managed("a.example", hooks=told.hooks()))
    [failed] = manager.renew_due().outcomes
    assert failed.result == "failed"
    assert "pre is broken" in failed.why
    assert told.names == ["pre"]
    assert "newOrder" not in acme_server.requests()
    [waiting] = manager.renew_due().outcomes
    assert waiting.result == "waiting"
    told.broken.clear()
    clock.pass_by(minutes=2)
    assert manager.renew_due().issued


def test_what_was_not_deployed_is_deployed_later(new_manager, managed, told, clock, acme_server):
    told.broken.add("deploy")
    certificate = managed("a.example", hooks=told.hooks())
    [issued] = new_manager(certificate).renew_due().outcomes
    assert issued.result == "issued"
    assert issued.failed
    assert told.names == ["pre", "deploy", "post"]
    assert timedelta(0) < issued.next - clock() < timedelta(minutes=2)
    clock.pass_by(minutes=2)
    told.broken.clear()
    [kept] = new_manager(certificate).renew_due().outcomes
    assert kept.result == "kept"
    assert told.names == ["pre", "deploy", "post", "deploy"]
    assert told.calls[-1][1].files.certificate
    new_manager(certificate).renew_due()
    assert len(told.calls) == 4
    assert acme_server.requests()["newOrder"] == 1


@pytest.mark.acme_server(blocked_names=["a.example"])
def test_a_failed_attempt_deploys_nothing(new_manager, managed, told):
    new_manager(managed("a.example", hooks=told.hooks())).renew_due()
    assert told.names == ["pre", "post"]


def test_a_command_is_run(new_manager, managed, tmp_path):
    copied = tmp_path / "copied.pem"
    script = f'cp "$LEGO_HOOK_CERT_PATH" {copied}'
    hooks = Hooks(deploy=Hook(("/bin/sh", "-c", script)))
    new_manager(managed("a.example", hooks=hooks)).renew_due()
    assert copied.read_text().startswith("-----BEGIN CERTIFICATE-----")


def gathering(count, then=lambda: None):
    """Return what has orders go on only when so many are under way: an `on_event`."""
    barrier = threading.Barrier(count, timeout=PATIENCE)

    def on_event(name, event):
        if event.kind == "order":
            barrier.wait()
            then()

    return on_event


NAMES = [f"{number}.example" for number in range(4)]


def test_what_is_stopped_for_many_is_stopped_before_the_first_and_started_after_the_last(
    new_manager, managed, told, clock
):
    hooks = told.hooks()
    certificates = [managed(name, hooks=hooks) for name in NAMES]
    manager = new_manager(*certificates, on_event=gathering(len(NAMES)))
    for _ in range(2):
        assert len(manager.renew_due().issued) == len(NAMES)
        assert told.names == ["pre", *["deploy"] * len(NAMES), "post"]
        told.calls.clear()
        clock.pass_by(days=70)


def test_a_hook_that_undoes_nothing_is_run_for_each(new_manager, managed, told, clock):
    for hooks in (Hooks(post=told.hook("post")), Hooks(pre=told.hook("pre"))):
        certificates = [managed(name, hooks=hooks) for name in NAMES]
        assert new_manager(*certificates, on_event=gathering(len(NAMES))).renew_due().issued
        clock.pass_by(days=70)
    assert sorted(about.id for _, about in told.calls) == sorted(NAMES * 2)


def test_a_hook_that_fails_before_many_fails_for_all_and_nothing_is_started_again(
    new_manager, managed, told, clock, acme_server
):
    told.broken.add("pre")
    manager = new_manager(*[managed(name, hooks=told.hooks()) for name in NAMES])
    assert len(manager.renew_due().failed) == len(NAMES)
    assert set(told.names) == {"pre"}
    assert "newOrder" not in acme_server.requests()
    told.broken.clear()
    clock.pass_by(minutes=2)
    assert len(manager.renew_due().issued) == len(NAMES)


def test_what_was_stopped_for_many_is_started_again_where_all_are_stopped(
    new_manager, managed, told
):
    hooks = told.hooks()
    certificates = [managed(name, hooks=hooks) for name in NAMES]

    def stop():
        manager.stop()

    manager = new_manager(*certificates, on_event=gathering(len(NAMES), stop))
    assert {each.result for each in manager.renew_due().outcomes} == {"stopped"}
    assert told.names == ["pre", "post"]


class Equal:
    """A hook that is equal to others of its kind, and tells when it is looked for among them."""

    __hash__ = None

    def __init__(self, looked):
        self.looked = looked

    def __call__(self, about):
        pass

    def __eq__(self, other):
        other.looked.set()
        return True


def equal_hooks():
    looked = threading.Event()
    return Hooks(pre=Equal(looked), post=Equal(looked)), looked


def test_who_comes_while_a_hook_fails_fails_by_it():
    together, calls, later = Together(), [], []
    (first, _), (second, looked) = equal_hooks(), equal_hooks()

    def pre():
        calls.append("pre")
        later.append(pool.submit(together.begin, second, pre))
        assert looked.wait(PATIENCE)
        raise RuntimeError("no such server")

    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(RuntimeError, match="no such server"):
            together.begin(first, pre)
        with pytest.raises(RuntimeError, match="no such server"):
            later[0].result(PATIENCE)
    assert calls == ["pre"]
    together.begin(first, lambda: calls.append("again"))
    assert calls == ["pre", "again"]


def test_who_comes_while_it_is_undone_waits_and_has_it_done_again():
    together, calls, later = Together(), [], []
    (first, _), (second, looked) = equal_hooks(), equal_hooks()

    def post():
        later.append(pool.submit(together.begin, second, lambda: calls.append("pre")))
        assert looked.wait(PATIENCE)
        calls.append("post")

    with ThreadPoolExecutor(1) as pool:
        together.begin(first, lambda: calls.append("pre"))
        together.end(first, post)
        later[0].result(PATIENCE)
    assert calls == ["pre", "post", "pre"]
