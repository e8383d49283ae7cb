"""What other clients keep, in the form in which certbot 5.8 and acme.sh 3.1 leave it, is taken over."""

import base64
import json
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

import pylego
from pylego.storage import FileStore, Origin, import_acme_sh, import_certbot
from pylego.storage._import_certbot import key_of
from tests.servers.certificates import new_key

DIRECTORY = "https://ca.example/dir"
HASH = "462419884572861d230bd8e1b9f9a102"


def number(value, size=None):
    size = size or (value.bit_length() + 7) // 8
    return base64.urlsafe_b64encode(value.to_bytes(size, "big")).rstrip(b"=").decode()


def jwk(key):
    """Write a key as a JSON Web Key, as certbot keeps it."""
    numbers = key.private_numbers()
    if isinstance(numbers, ec.EllipticCurvePrivateNumbers):
        size = (key.key_size + 7) // 8
        point = numbers.public_numbers
        return {
            "kty": "EC",
            "crv": f"P-{key.key_size}",
            "x": number(point.x, size),
            "y": number(point.y, size),
            "d": number(numbers.private_value, size),
        }
    public = numbers.public_numbers
    names = {"d": "d", "p": "p", "q": "q", "dp": "dmp1", "dq": "dmq1", "qi": "iqmp"}
    private = {name: number(getattr(numbers, theirs)) for name, theirs in names.items()}
    return {"kty": "RSA", "n": number(public.n), "e": number(public.e), **private}


KEYS = {
    "RSA2048": rsa.generate_private_key(65537, 2048),
    "EC256": ec.generate_private_key(ec.SECP256R1()),
    "EC384": ec.generate_private_key(ec.SECP384R1()),
}


@pytest.fixture
def certbot(tmp_path, two):
    """A folder of certbot's with one certificate and one account."""
    folder = tmp_path / "letsencrypt"
    live, archive = folder / "live" / "a.example", folder / "archive" / "a.example"
    live.mkdir(parents=True)
    archive.mkdir(parents=True)
    parts = {
        "cert": two[0].leaf,
        "chain": two[0].chain,
        "fullchain": two[0].fullchain,
        "privkey": two[0].private_key,
    }
    for name, text in parts.items():
        (archive / f"{name}1.pem").write_text(text)
        (live / f"{name}.pem").symlink_to(f"../../archive/a.example/{name}1.pem")
    (folder / "renewal").mkdir()
    (folder / "renewal" / "a.example.conf").write_text(
        f"version = 5.8.0\narchive_dir = {archive}\n# a comment = x\n[renewalparams]\n"
        f"account = {HASH}\nkey_type = ecdsa\nserver = {DIRECTORY}\n"
        "preferred_chain = None\npreferred_profile = shortlived\nauthenticator = standalone\n"
    )
    account = folder / "accounts" / "ca.example" / "dir" / HASH
    account.mkdir(parents=True)
    (account / "meta.json").write_text('{"creation_host": "here"}')
    (account / "regr.json").write_text('{"body": {}, "uri": "https://ca.example/acct/1"}')
    (account / "private_key.json").write_text(json.dumps(jwk(KEYS["RSA2048"])))
    return folder


@pytest.fixture
def acme_sh(tmp_path, two):
    """A folder of acme.sh's with one certificate and one account at a CA on a port."""
    folder = tmp_path / "acme.sh"
    certificate = folder / "a.example_ecc"
    certificate.mkdir(parents=True)
    (certificate / "a.example.cer").write_text(two[0].leaf)
    (certificate / "ca.cer").write_text(two[0].chain)
    (certificate / "fullchain.cer").write_text(two[0].fullchain)
    (certificate / "a.example.key").write_text(two[0].private_key)
    chain = base64.b64encode(b"A root").decode()
    (certificate / "a.example.conf").write_text(
        "Le_Domain='a.example'\nLe_Alt='no'\nLe_API='https://ca.example:14000/dir'\n"
        "Le_Keylength='ec-256'\nLe_LinkCert='https://ca.example:14000/cert/1'\n"
        f"Le_Preferred_Chain='__ACME_BASE64__START_{chain}__ACME_BASE64__END_'\n"
    )
    account = folder / "ca" / "ca.example" / "dir"
    account.mkdir(parents=True)
    (account / "account.key").write_text(new_key())
    (account / "account.json").write_text('{"status": "valid"}')
    (account / "ca.conf").write_text(
        "CA_EMAIL='me@a.example'\nACCOUNT_URL='https://ca.example:14000/acct/1'\n"
    )
    return folder


def test_certbots_certificates_and_accounts_are_taken_over(store, certbot, two):
    imported = import_certbot(store, certbot)
    assert imported.certificates == ["a.example"]
    assert imported.accounts == [(DIRECTORY, HASH)]
    assert imported.left_out == {}
    assert store.load("a.example") == two[0]
    origin = Origin(DIRECTORY, HASH, "EC256", "shortlived", must_staple=False)
    assert store.texts()["a.example"].origin == origin
    account = store.load_account(DIRECTORY, HASH)
    assert account.url == "https://ca.example/acct/1"
    key = load_pem_private_key(account.key.encode(), None)
    assert key.private_numbers() == KEYS["RSA2048"].private_numbers()


@pytest.mark.parametrize("name", KEYS)
def test_a_json_web_key_is_the_same_key_as_pem(name):
    text = key_of(jwk(KEYS[name]))
    key = load_pem_private_key(text.encode(), None)
    assert key.private_numbers() == KEYS[name].private_numbers()
    assert text.startswith(f"-----BEGIN {name[:-3] if name[0] == 'E' else 'RSA'} PRIVATE KEY-----")


def test_an_account_of_certbots_obtains_here(acme_server, store, certbot, new_client):
    account = new_client(acme_server).register()
    place = certbot / "accounts" / acme_server.directory.removeprefix("https://") / HASH
    place.mkdir(parents=True)
    key = load_pem_private_key(account.key.encode(), None)
    (place / "private_key.json").write_text(json.dumps(jwk(key)))
    (place / "regr.json").write_text(json.dumps({"body": {}, "uri": account.url}))
    import_certbot(store, certbot)
    client = new_client(acme_server, account=store.load_account(acme_server.directory, HASH))
    assert client.obtain("b.example", challenges=acme_server.http01())
    assert client.account.url == account.url


@pytest.mark.parametrize("link", ["directory", f"directory/{HASH}"])
def test_an_account_of_certbots_from_before_acme_v2_is_at_the_directory_that_it_is_used_at(
    store, certbot, link
):
    # certbot links the folder of a directory that has taken another's place (LE_REUSE_SERVERS).
    accounts = certbot / "accounts"
    old = accounts / "acme-v01.api.letsencrypt.org"
    (accounts / "ca.example").rename(old)
    (old / "dir").rename(old / "directory")
    new = accounts / "acme-v02.api.letsencrypt.org" / link
    new.parent.mkdir(parents=True)
    new.symlink_to(old / link)
    registration = old / "directory" / HASH / "regr.json"
    urls = {
        "https://acme-v02.api.letsencrypt.org/acme/acct/1": True,
        "https://acme-v01.api.letsencrypt.org/acme/reg/1": False,  # which is asked for anew
    }
    directory = "https://acme-v02.api.letsencrypt.org/directory"
    for url, kept in urls.items():
        registration.write_text(json.dumps({"body": {}, "uri": url}))
        assert import_certbot(store, certbot).accounts == [(directory, HASH)]
        assert store.load_account(directory, HASH).url == (url if kept else None)


def test_what_certbot_was_told_of_a_certificate_is_taken_over_or_said(store, certbot):
    settings = certbot / "renewal" / "a.example.conf"
    settings.write_text(f"{settings.read_text()}must_staple = True\nreuse_key = True\n")
    imported = import_certbot(store, certbot)
    assert store.texts()["a.example"].origin.must_staple
    [(path, why)] = imported.left_out.items()
    assert path == str(settings)
    assert "--reuse-key" in why


@pytest.mark.parametrize("text", ["", "garbage", "-----BEGIN PRIVATE KEY-----\nMAAA\n"])
def test_what_is_no_key_is_no_account_of_acme_shs(store, acme_sh, text):
    key = acme_sh / "ca" / "ca.example" / "dir" / "account.key"
    key.write_text(text)
    imported = import_acme_sh(store, acme_sh)
    assert imported.accounts == store.accounts() == []
    [(path, why)] = imported.left_out.items()
    assert path == str(key.parent)
    assert "private key" in why


def test_acme_shs_certificates_and_accounts_are_taken_over(store, acme_sh, two):
    imported = import_acme_sh(store, acme_sh)
    directory = "https://ca.example:14000/dir"  # the folder does not tell the port
    assert imported.certificates == ["a.example"]
    assert imported.accounts == [(directory, "me@a.example")]
    assert imported.left_out == {}
    certificate = store.load("a.example")
    assert certificate.serial == two[0].serial
    assert certificate.url == "https://ca.example:14000/cert/1"
    origin = Origin(directory, "me@a.example", "EC256", None, "A root")
    assert store.texts()["a.example"].origin == origin
    account = store.load_account(directory, "me@a.example")
    assert account.url == "https://ca.example:14000/acct/1"
    assert account.key == (acme_sh / "ca" / "ca.example" / "dir" / "account.key").read_text()


def test_an_rsa_and_an_ec_certificate_of_one_name_are_two(store, acme_sh):
    shutil.copytree(acme_sh / "a.example_ecc", acme_sh / "a.example")
    imported = import_acme_sh(store, acme_sh)
    assert imported.certificates == store.certificate_ids() == ["a.example", "a.example_ecc"]


@pytest.mark.parametrize("take", [import_certbot, import_acme_sh])
def test_what_the_store_has_already_stays(store, certbot, acme_sh, two, take):
    folder = certbot if take is import_certbot else acme_sh
    store.save("a.example", two[1])
    imported = take(store, folder)
    assert imported.certificates == []
    assert list(imported.left_out.values()) == ["the store has a certificate a.example already"]
    assert store.load("a.example").serial == two[1].serial
    [(directory, identity)] = imported.accounts
    changed = pylego.Account(new_key(), None, directory)
    store.save_account(changed, identity)
    again = take(store, folder)
    assert again.accounts == []
    assert any("another account" in why for why in again.left_out.values())
    assert store.load_account(directory, identity) == changed


def test_what_cannot_be_read_is_named_and_the_rest_is_taken(store, certbot, two):
    broken = certbot / "live" / "b.example"
    broken.mkdir()
    (broken / "fullchain.pem").write_text(two[0].fullchain)
    (broken / "privkey.pem").write_text(two[1].private_key)
    account = certbot / "accounts" / "ca.example" / "dir" / "broken"
    account.mkdir()
    (account / "private_key.json").write_text("{}")
    imported = import_certbot(store, certbot)
    assert imported.certificates == ["a.example"]
    assert imported.accounts == [(DIRECTORY, HASH)]
    assert set(imported.left_out) == {str(broken / "fullchain.pem"), str(account)}


@pytest.mark.parametrize("take", [import_certbot, import_acme_sh])
@pytest.mark.parametrize("exists", [True, False])
def test_another_folder_is_none_of_theirs(store, tmp_path, take, exists):
    folder = tmp_path / "other"
    if exists:
        folder.mkdir()
    with pytest.raises(pylego.StorageError, match="is no folder of") as caught:
        take(store, folder)
    assert caught.value.path == str(folder)
    assert not Path(store.folder).exists()


def test_the_others_folder_stays_as_it_is(store, certbot, acme_sh):
    def contents(folder):
        return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    before = contents(certbot), contents(acme_sh)
    import_certbot(store, certbot)
    import_acme_sh(FileStore(Path(store.folder).parent / "second"), acme_sh)
    assert (contents(certbot), contents(acme_sh)) == before
