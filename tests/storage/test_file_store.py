"""What a store keeps, and what it refuses."""

import dataclasses
import json
import os
import re
import stat
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from hypothesis import given
from hypothesis import strategies as st

import pylego
from pylego.storage import FileStore, Origin, Pending, recover
from pylego.storage import _layout as layout
from pylego.storage._folder import Folder, FolderByPath
from tests.servers.certificates import key_pem, new_key

NAME = "a.example"
DIRECTORY = "https://ca.example:14000/dir"


def path(store, *parts):
    return Path(store.folder, *parts)


def test_a_certificate_is_what_was_saved(any_store, two):
    certificate = dataclasses.replace(two[0], url="https://ca/cert/1", order_url="https://ca/o/1")
    asked_for = {"profile": "short", "must_staple": False, "common_name": True}
    any_store.save(NAME, certificate, origin=Origin(DIRECTORY, "me", **asked_for))
    assert any_store.load(NAME) == certificate
    text = any_store.texts()[NAME]
    assert text.origin == Origin(DIRECTORY, "me", "EC256", **asked_for)
    assert text.fullchain == certificate.fullchain
    assert text.names == (NAME,)
    assert any_store.certificate_ids() == [NAME]


def test_folders_and_files_have_legos_names_and_modes(any_store, two):
    any_store.save("*.a.example", two[0])
    names = {each.name for each in path(any_store, "certificates").iterdir()}
    assert names == {f"_.a.example.{kind}" for kind in ("crt", "issuer.crt", "key", "json")}
    for each in path(any_store).rglob("*"):
        mode = stat.S_IMODE(each.stat().st_mode)
        assert mode == (0o700 if each.is_dir() else 0o600), each
    assert stat.S_IMODE(path(any_store).stat().st_mode) == 0o700


def test_what_is_not_there_is_none(any_store):
    assert any_store.certificate_ids() == []
    assert any_store.load(NAME) is None
    assert any_store.texts() == any_store.texts([NAME]) == {}
    assert any_store.accounts() == []
    assert any_store.load_account(DIRECTORY) is None
    assert any_store.pending_key(DIRECTORY, "me") is None
    assert any_store.pending(NAME) is None
    assert any_store.state(NAME) == any_store.states([NAME]) == {}
    any_store.remove(NAME)
    any_store.drop_pending(NAME)
    recover(path(any_store, "elsewhere"))


def test_to_open_and_to_read_makes_nothing(store):
    assert store.load(NAME) is None
    assert not path(store).exists()


@pytest.mark.parametrize("bundle", [True, False])
def test_a_certificate_alone_in_its_file_has_its_chain_all_the_same(store, two, bundle):
    certificate = dataclasses.replace(two[0], bundle=bundle)
    store.save(NAME, certificate)
    assert path(store, "certificates", "a.example.crt").read_text() == certificate.fullchain
    assert store.load(NAME) == certificate


def test_the_certificate_of_a_csr_has_no_key(store, two):
    store.save(NAME, two[0])
    store.save(NAME, dataclasses.replace(two[1], private_key=None))
    assert store.load(NAME).private_key is None
    assert store.load(NAME).serial == two[1].serial
    [archive] = path(store, "archives", "certificates").iterdir()
    with zipfile.ZipFile(archive) as packed:  # the only copy of the old key
        assert packed.read("a.example.key").decode() == two[0].private_key


def test_the_pem_is_one_file_for_servers(any_store, two):
    any_store.save(NAME, two[0])
    assert not path(any_store, "certificates", "a.example.pem").exists()
    FileStore(any_store.folder, pem=True).save(NAME, two[0])
    any_store.save(NAME, two[1])  # it is there, so it is kept as new as the rest
    content = path(any_store, "certificates", "a.example.pem").read_text()
    assert content == two[1].fullchain + two[1].private_key


def test_the_pfx_has_key_and_chain(store, two):
    for certificate in two:
        FileStore(store.folder, pfx_password="s3cret").save(NAME, certificate)
        file = path(store, "certificates", "a.example.pfx")
        key, leaf, chain = pkcs12.load_key_and_certificates(file.read_bytes(), b"s3cret")
        assert key_pem(key).decode() == certificate.private_key
        assert f"{leaf.serial_number:x}" == certificate.serial.lstrip("0")
        assert len(chain) == 1


def test_a_pfx_without_its_password_has_no_other_certificate_saved(any_store, two):
    FileStore(any_store.folder, pfx_password="s3cret").save(NAME, two[0])
    file = path(any_store, "certificates", "a.example.pfx")
    content = file.read_bytes()
    any_store.save(NAME, two[0])  # the same, so the .pfx is its own
    for refused in (lambda: any_store.save(NAME, two[1]), lambda: any_store.check_copies(NAME)):
        with pytest.raises(pylego.StorageError, match="give the password") as caught:
            refused()
        assert caught.value.path == str(file)
    assert any_store.load(NAME).serial == two[0].serial
    assert file.read_bytes() == content
    assert not path(any_store, "archives").exists()
    FileStore(any_store.folder, pfx_password="s3cret").check_copies(NAME)
    file.unlink()
    any_store.check_copies(NAME)
    any_store.save(NAME, two[1])
    assert any_store.load(NAME).serial == two[1].serial


def test_copies_with_a_key_go_with_it_into_an_archive(store, two, caplog):
    FileStore(store.folder, pem=True, pfx_password="s3cret").save(NAME, two[0])
    store.save(NAME, dataclasses.replace(two[1], private_key=None))
    left = {each.suffix for each in path(store, "certificates").iterdir()}
    assert left == {".crt", ".json"}
    assert "a.example.pfx was removed" in caplog.text
    [archive] = path(store, "archives", "certificates").iterdir()
    with zipfile.ZipFile(archive) as packed:
        assert {"a.example.pem", "a.example.pfx"} <= set(packed.namelist())


def test_a_replaced_pair_is_in_an_archive_and_the_same_one_in_none(any_store, two):
    any_store.save(NAME, two[0])
    any_store.save(NAME, two[0])
    assert not path(any_store, "archives").exists()
    any_store.save(NAME, two[1])
    any_store.save(NAME, two[0])  # in the same second, perhaps
    archives = sorted(path(any_store, "archives", "certificates").iterdir())
    assert len(archives) == 2
    with zipfile.ZipFile(archives[0]) as packed:
        assert packed.comment == b"certificates"
        pair = [packed.read(f"a.example.{kind}").decode() for kind in ("crt", "key")]
        assert pylego.Certificate.load(*pair).serial == two[0].serial


def test_archives_go_when_lego_would_remove_them(store, two):
    folder = path(store, "archives", "certificates")
    folder.mkdir(parents=True, mode=0o700)
    for each in (path(store), path(store, "archives")):
        each.chmod(0o700)
    now = int(time.time())
    old, young = (f"b.example_{now - days * 86400}.zip" for days in (31, 29))
    for name in (old, young, "notes.zip"):
        (folder / name).touch()
    store.save(NAME, two[0])
    store.save(NAME, two[1])
    assert {old, young, "notes.zip"} & {each.name for each in folder.iterdir()} == {
        young,
        "notes.zip",
    }


def test_a_removed_certificate_is_in_an_archive(any_store, two):
    any_store.save(NAME, two[0])
    any_store.save_state(NAME, {"tried": 1})
    any_store.save_pending(NAME, Pending(new_key(), None, DIRECTORY))
    any_store.remove(NAME)
    assert any_store.load(NAME) is None
    assert any_store.certificate_ids() == []
    assert any_store.state(NAME) == {}
    assert any_store.pending(NAME) is not None
    assert len(list(path(any_store, "archives", "certificates").iterdir())) == 1


def test_two_ids_that_have_one_file_name_do_not_replace_each_other(store, two):
    store.save("*.a.example", two[0])
    with pytest.raises(pylego.StorageError, match="is of the certificate '\\*\\.a\\.example'"):
        store.save("_.a.example", two[1])
    with pytest.raises(pylego.StorageError, match="is of the certificate"):
        store.remove("_.a.example")
    assert store.load("*.a.example").serial == two[0].serial


@pytest.mark.parametrize("name", ["", ".", "..", ".a", "/", "xn--\u00fc", "\ud800"])
def test_a_name_that_no_file_can_have_is_refused(store, two, name):
    with pytest.raises(pylego.InvalidRequest, match="cannot be the name of a certificate"):
        store.save(name, two[0])


@pytest.mark.parametrize("length", [240, 241, 244, 245, 253])
def test_a_name_of_any_length_is_saved_and_replaced(any_store, two, length):
    names = [letter + "b.example".rjust(length - 1, "a") for letter in "xy"]
    for name in names:
        for certificate in two:
            any_store.save(name, certificate)
        any_store.save_pending(name, Pending(new_key(), name, DIRECTORY))
        any_store.save_state(f"request@{name}", {"name": name})
        with any_store.lock(name):
            pass
    assert any_store.certificate_ids() == names
    assert list(any_store.texts(names)) == names
    for name in names:
        assert any_store.load(name).serial == two[1].serial
        assert any_store.pending(name).order_url == any_store.state(f"request@{name}")["name"]
        any_store.remove(name)
    assert any_store.certificate_ids() == []
    archives = list(path(any_store, "archives", "certificates").iterdir())
    assert len(archives) == 4


def test_a_text_has_the_id_that_was_asked_for_where_its_json_tells_none(store, two):
    store.save("*.a.example", two[0])
    resource = path(store, "certificates", "_.a.example.json")
    fields = json.loads(resource.read_text())
    resource.write_text(json.dumps({**fields, "id": ""}))
    [(id_, text)] = store.texts(["*.a.example"]).items()
    assert (id_, text.id) == ("*.a.example", "*.a.example")
    assert list(store.texts()) == ["_.a.example"]


def test_an_account_s_key_is_replaced_whatever_the_length_of_its_name(store):
    name = "a" * 240 + "@\u00fc"
    for key in (new_key(), new_key()):
        store.save_account(pylego.Account(key, None, DIRECTORY), name)
    assert store.load_account(DIRECTORY, name).key == key
    assert len(list(path(store, "archives", "accounts").iterdir())) == 1


def test_one_broken_certificate_does_not_hide_the_others(store, two):
    store.save(NAME, two[0])
    store.save("b.example", two[1])
    for kind, content in (("crt", "-----BEGIN CERTIFICATE-----\nhalf"), ("json", "{")):
        file = path(store, "certificates", f"b.example.{kind}")
        kept = file.read_text()
        file.write_text(content)
        os.utime(file, (0, 0))
        for each in path(store, "certificates").iterdir():
            os.utime(each, (0, 0))
        assert list(store.texts()) == [NAME]
        assert store.certificate_ids() == [NAME, "b.example"]
        with pytest.raises(pylego.StorageError):
            store.load("b.example")
        file.write_text(kept)
    assert store.load("b.example").serial == two[1].serial


@pytest.mark.parametrize("value", [3, [[]], {"a": 1}])
def test_what_a_json_tells_in_the_wrong_shape_is_not_told(store, two, value):
    store.save("b.example", two[1])
    file = path(store, "certificates", "b.example.json")
    ours = dict.fromkeys(("directory", "account", "orderUrl"), value)
    told = dict.fromkeys(("id", "domains", "certUrl", "keyType", "profile"), value)
    file.write_text(json.dumps({**told, "pylego": ours}))
    text = store.texts()["b.example"]
    assert (text.names, text.origin.directory, text.origin.profile) == ((), None, None)
    kept = store.load("b.example")
    assert (kept.serial, kept.url, kept.order_url) == (two[1].serial, None, None)
    assert store.certificate_ids() == ["b.example"]


def test_of_files_that_belong_together_the_wrong_one_is_named(store, two):
    store.save("b.example", two[1])
    file = path(store, "certificates", "b.example.json")
    file.write_text("[]")
    for each in file.parent.iterdir():
        os.utime(each, (0, 0))
    with pytest.raises(pylego.StorageError, match=r"b\.example\.json is not what") as caught:
        store.load("b.example")
    assert caught.value.path == str(file)


def test_what_a_crash_of_legos_has_left_can_be_replaced(store, two):
    store.save(NAME, two[0])
    store.save_account(pylego.Account(new_key(), None, DIRECTORY), "me")
    half = [
        path(store, "certificates", "a.example.json"),
        path(store, "certificates", "a.example.key"),
        path(store, "accounts", "ca.example_14000", "me", "account.json"),
    ]
    for file in half:
        file.write_text(file.read_text()[:30])
        os.utime(file, (0, 0))
    with pytest.raises(pylego.StorageError):
        store.load_account(DIRECTORY, "me")
    store.save(NAME, two[1])
    assert store.load(NAME).serial == two[1].serial
    account = pylego.Account(new_key(), None, DIRECTORY)
    store.save_account(account, "me")
    assert store.load_account(DIRECTORY, "me") == account


@given(name=st.text())
def test_whatever_the_name_its_files_lie_right_in_the_folder(name):
    try:
        safe = layout.safe_name(name)
    except pylego.InvalidRequest:
        return
    assert re.fullmatch(r"[A-Za-z0-9_@-][A-Za-z0-9._@-]{0,243}", safe)


@given(directory=st.text(), identity=st.text())
def test_whatever_the_account_its_files_lie_two_folders_below(directory, identity):
    try:
        place = layout.account_place(directory, identity)
    except pylego.InvalidRequest:
        return
    assert len(place) == 3
    assert not any(part.startswith(".") or set("/\\\0") & set(part) for part in place)


def test_threads_that_save_and_read_at_once_see_whole_certificates(store, two):
    store.save(NAME, two[0])

    def save(certificate):
        for _ in range(6):
            FileStore(store.folder).save(NAME, certificate)

    def read(_):
        return {store.load(NAME).serial for _ in range(30)}

    with ThreadPoolExecutor(6) as pool:
        written = [pool.submit(save, certificate) for certificate in (*two, *two)]
        seen = set().union(*pool.map(read, range(2)))
        for each in written:
            each.result()
    assert seen <= {certificate.serial for certificate in two}


# Accounts


def test_an_account_is_what_was_saved(any_store):
    account = pylego.Account(new_key(), "https://ca/a/1", DIRECTORY, "valid", "me@a.example")
    assert any_store.save_account(account) == "me@a.example"
    assert any_store.accounts() == [(DIRECTORY, "me@a.example")]
    assert any_store.load_account(DIRECTORY, "me@a.example") == account
    folder = path(any_store, "accounts", "ca.example_14000", "me@a.example")
    assert {each.name for each in folder.iterdir()} == {"account.json", "me@a.example.key"}


def test_an_account_without_an_email_address_has_legos_id(store):
    account = pylego.Account(new_key(), None, DIRECTORY)
    assert store.save_account(account) == "noemail@example.com"
    assert store.load_account(DIRECTORY) == account


def test_what_lego_knows_of_an_account_stays(store):
    account = pylego.Account(new_key(), "https://ca/a/1", DIRECTORY, "valid", "me@a.example")
    store.save_account(account)
    file = path(store, "accounts", "ca.example_14000", "me@a.example", "account.json")
    fields = json.loads(file.read_text())
    fields["registration"]["termsOfServiceAgreed"] = True
    file.write_text(json.dumps({**fields, "origin": "configuration"}))
    store.save_account(dataclasses.replace(account, status="deactivated"))
    after = json.loads(file.read_text())
    assert after["registration"]["termsOfServiceAgreed"]
    assert after["registration"]["status"] == "deactivated"
    assert after["origin"] == "configuration"


def test_what_an_account_s_json_tells_in_the_wrong_shape_is_not_told(store):
    account = pylego.Account(new_key(), "https://ca/a/1", DIRECTORY, "valid", "me@a.example")
    store.save_account(account)
    file = path(store, "accounts", "ca.example_14000", "me@a.example", "account.json")
    wrong = {"server": 3, "email": [1], "registration": {"accountURL": {}, "status": 5}}
    file.write_text(json.dumps(wrong))
    with pytest.raises(pylego.StorageError, match="at which CA"):
        store.accounts()
    assert store.load_account(DIRECTORY, "me@a.example") == pylego.Account(
        account.key, directory=DIRECTORY
    )


def test_a_key_whose_account_was_not_written_any_more_is_not_lost(store):
    key = new_key()
    folder = path(store, "accounts", "ca.example_14000", "me")
    folder.mkdir(parents=True, mode=0o700)
    for each in (path(store), path(store, "accounts"), folder.parent):
        each.chmod(0o700)
    (folder / "me.key").write_text(key)  # as lego does, before it asks the CA
    assert store.load_account(DIRECTORY, "me") == pylego.Account(key, directory=DIRECTORY)


def test_an_account_without_its_key_is_an_error(store):
    store.save_account(pylego.Account(new_key(), None, DIRECTORY), "me")
    path(store, "accounts", "ca.example_14000", "me", "me.key").unlink()
    os.utime(path(store, "accounts", "ca.example_14000", "me", "account.json"), (0, 0))
    with pytest.raises(pylego.StorageError, match="but not the account's key"):
        store.load_account(DIRECTORY, "me")


def test_two_directories_of_one_host_do_not_share_an_account(store):
    account = pylego.Account(new_key(), None, DIRECTORY)
    store.save_account(account, "me")
    other = DIRECTORY + "/other"
    assert store.load_account(other, "me") is None
    with pytest.raises(pylego.StorageError, match="one folder for all directories of a host"):
        store.save_account(dataclasses.replace(account, directory=other), "me")
    assert store.load_account(DIRECTORY, "me") == account


@pytest.mark.parametrize("identity", ["..", ".", "a/b", "a\\b", "\0", ".hidden"])
def test_an_account_has_a_folder_and_no_path(store, identity):
    account = pylego.Account(new_key(), None, DIRECTORY)
    with pytest.raises(pylego.InvalidRequest, match="cannot be the ID of an account"):
        store.save_account(account, identity)


def test_an_account_to_keep_has_a_key_and_a_directory(store):
    with pytest.raises(pylego.InvalidRequest, match="has no key"):
        store.save_account(pylego.Account(None, None, DIRECTORY))
    with pytest.raises(pylego.InvalidRequest, match="not the URL of a directory"):
        store.save_account(pylego.Account(new_key()))


@pytest.mark.parametrize("changed", [True, False])
def test_a_pending_key_becomes_the_accounts_or_goes(any_store, changed):
    old, new = new_key(), new_key()
    any_store.save_account(pylego.Account(old, "https://ca/a/1", DIRECTORY), "me")
    any_store.save_pending_key(DIRECTORY, "me", new)
    assert FileStore(any_store.folder).pending_key(DIRECTORY, "me") == new
    assert any_store.load_account(DIRECTORY, "me").key == old
    any_store.settle_key(DIRECTORY, "me", changed=changed)
    assert any_store.pending_key(DIRECTORY, "me") is None
    assert any_store.load_account(DIRECTORY, "me").key == (new if changed else old)
    assert any_store.load_account(DIRECTORY, "me").url == "https://ca/a/1"
    archives = list(path(any_store, "archives").rglob("*.zip"))
    assert [each.name.rpartition("_")[0] for each in archives] == ["ca.example_14000_me"] * changed


def test_no_key_can_be_settled_that_is_not_pending(store):
    with pytest.raises(pylego.StorageError, match="no key is pending"):
        store.settle_key(DIRECTORY, "me", changed=True)


# What is on its way, and renewal state


def test_a_key_and_its_order_outlive_the_program(any_store):
    pending = Pending(new_key(), "https://ca/order/1", DIRECTORY)
    any_store.save_pending("*.a.example", pending)
    assert FileStore(any_store.folder).pending("*.a.example") == pending
    assert pending.key not in repr(pending)
    any_store.drop_pending("*.a.example")
    assert any_store.pending("*.a.example") is None


def test_state_outlives_the_program(any_store):
    any_store.save_state(NAME, {"chosen": "2026-11-25T00:00:00Z", "failures": [1, 2]})
    any_store.save_state(NAME, {"failures": []})
    assert any_store.states([NAME, "b.example"]) == {NAME: {"failures": []}}
    assert FileStore(any_store.folder).state(NAME) == {"failures": []}
    with pytest.raises(pylego.InvalidRequest, match="cannot be written as JSON"):
        any_store.save_state(NAME, {"chosen": object()})
    assert any_store.state(NAME) == {"failures": []}


@pytest.mark.parametrize("content", ["", "[]", "{", '{"unknown": 1}'])
def test_what_somebody_has_spoiled_is_named(store, content):
    store.save_pending(NAME, Pending(new_key(), None, DIRECTORY))
    path(store, "pylego", "pending", "a.example.json").write_text(content)
    with pytest.raises(pylego.StorageError, match=r"pylego/pending/a\.example\.json") as caught:
        store.pending(NAME)
    assert caught.value.path == str(path(store, "pylego", "pending", "a.example.json"))
    assert caught.value.code == "storage_failed"
    assert caught.value.phase == "storage"


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (ec.generate_private_key(ec.SECP256R1()), "EC256"),
        (ec.generate_private_key(ec.SECP384R1()), "EC384"),
        (ec.generate_private_key(ec.SECP521R1()), ""),
        (rsa.generate_private_key(65537, 2048), "RSA2048"),
        (rsa.generate_private_key(65537, 3072), "RSA3072"),
    ],
)
def test_the_type_of_a_key_is_told_as_lego_does(key, name):
    assert layout.key_type(key_pem(key).decode()) == name


def test_keys_of_legos_are_told_apart_though_they_are_not_parsed():
    assert layout.key_type("nonsense") == ""
    assert layout.key_type("-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----\n") == ""


def test_the_store_is_one(store):
    typed: pylego.storage.Store = store
    for name in dir(pylego.storage.Store):
        if not name.startswith("_"):
            assert callable(getattr(typed, name))


def test_thousands_of_certificates_are_read_in_a_second(store, two, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)  # the writing is not what is measured
    store.save(NAME, two[0])
    folder = path(store, "certificates")
    for number in range(2000):
        for kind in ("crt", "json"):
            text = (folder / f"a.example.{kind}").read_text()
            (folder / f"n{number}.example.{kind}").write_text(
                text.replace('a.example"', f'n{number}.example"')
            )
    began = time.process_time()
    assert len(store.texts()) == 2001
    took = time.process_time() - began
    assert took < 1.5  # on an idle machine 0.05 s


@pytest.mark.parametrize("kind", [Folder, FolderByPath])
def test_a_file_is_made_and_never_one_that_is_there_taken(tmp_path, monkeypatch, kind):
    monkeypatch.setattr("pylego.storage._folder.HAVE_DESCRIPTORS", kind is Folder)
    tmp_path.chmod(0o700)
    with Folder.open(str(tmp_path)) as folder:
        assert type(folder) is kind
        assert folder.create("a", b"ours")
        assert not folder.create("a", b"another's")
        assert folder.read("a") == b"ours"
