"""lego's own command line on a store, and what is taken over from other clients."""

import json
import shlex

import pytest

import pylego
from pylego.storage import FileStore
from pylego.storage._folder import Folder
from tests.cli.conftest import account_of, names

pytest.importorskip("typer")


@pytest.fixture
def crashed(folder, client, acme_server, monkeypatch):
    """Leave a store in the middle of a replacement; give the serial number of the new one."""
    old, new = (client.obtain("a.example", challenges=acme_server.http01()) for _ in range(2))
    store = FileStore(folder)
    store.save("a.example", old)
    real = Folder.move

    def move(self, name, to):
        if to == "a.example.key":
            raise KeyboardInterrupt
        real(self, name, to)

    with monkeypatch.context() as patched:
        patched.setattr(Folder, "move", move)
        with pytest.raises(KeyboardInterrupt):
            store.save("a.example", new)
    return new.serial


@pytest.mark.parametrize("how", ["flag", "joined", "repeated", "variable", "default"])
def test_what_a_crash_has_left_is_finished_before_lego_runs(
    how, crashed, folder, pylego_command, monkeypatch
):
    journal, env, flags = folder / "pylego" / "journal", {}, ()
    assert list(journal.iterdir())
    monkeypatch.delenv("LEGO_PATH", raising=False)
    if how == "flag":
        flags = ("--path", folder)
    elif how == "joined":
        flags = (f"--path={folder}",)
    elif how == "repeated":  # lego takes the last
        flags = ("--path", folder.parent / "nowhere", "--path", folder)
    elif how == "variable":
        env = {"LEGO_PATH": str(folder)}
    else:
        monkeypatch.chdir(folder.parent)
        folder.rename(folder.parent / ".lego")
        folder = folder.parent / ".lego"
        journal = folder / "pylego" / "journal"
    done = pylego_command("lego", "certificates", "list", "--json", *flags, env=env)
    assert done.code == 0, done.out
    assert list(journal.iterdir()) == []
    certificate = pylego.Certificate.load(
        folder / "certificates" / "a.example.crt", folder / "certificates" / "a.example.key"
    )
    assert certificate.serial == crashed


@pytest.mark.parametrize("how", ["flag", "variable", ".lego.yml", ".lego.yaml"])
def test_so_it_is_in_a_folder_that_legos_configuration_names(
    how, crashed, folder, pylego_command, tmp_path, monkeypatch
):
    monkeypatch.delenv("LEGO_PATH", raising=False)
    monkeypatch.chdir(tmp_path)
    file = tmp_path / (how if how.startswith(".") else "ours.yml")
    file.write_text(f"""
storage: "./{folder.name}" # ours
accounts: {{main: {{email: a@a.example, acceptsTermsOfService: true}}}}
challenges: {{web: {{http: {{address: ":80"}}}}}}
certificates: {{a.example: {{challenge: web, domains: [a.example]}}}}
""")
    flags = ("--config", file) if how == "flag" else ()
    env = {"LEGO_CONFIG": str(file)} if how == "variable" else {}
    done = pylego_command("lego", "certificates", "list", "--json", *flags, env=env)
    assert done.code == 0, done.out + done.err
    assert list((folder / "pylego" / "journal").iterdir()) == []
    kept = folder / "certificates"
    assert crashed == pylego.Certificate.load(kept / "a.example.crt", kept / "a.example.key").serial


@pytest.mark.parametrize("how", ["flag", "env", "configuration"])
def test_so_it_is_before_run_lego(how, crashed, folder, tmp_path, monkeypatch):
    monkeypatch.delenv("LEGO_PATH", raising=False)
    monkeypatch.chdir(tmp_path)
    flags, env = (), {}
    if how == "flag":
        flags = ("--path", folder)
    elif how == "env":
        env = {"LEGO_PATH": folder}
    else:
        (tmp_path / ".lego.yml").write_text(f"storage: {folder}\n")
    pylego.run_lego("certificates", "list", *flags, env=env)
    assert list((folder / "pylego" / "journal").iterdir()) == []
    assert FileStore(folder).load("a.example").serial == crashed


def test_run_lego_does_not_run_where_that_cannot_be_finished(crashed, folder):
    folder.chmod(0o777)
    with pytest.raises(pylego.StorageError, match="others"):
        pylego.run_lego("certificates", "list", "--path", folder)
    assert pylego.run_lego("--help", env={"LEGO_PATH": folder}).returncode == 0


def test_a_configuration_that_lego_cannot_read_is_lego_s_to_refuse(pylego_command, tmp_path):
    for text in (None, "storage: [", "storage: {a: 1}"):
        file = tmp_path / "lego.yml"
        if text is not None:
            file.write_text(text)
        done = pylego_command("lego", "--config", file)
        assert done.code != 0
        assert "configuration" in done.out + done.err
        assert "lego storage" not in done.out + done.err


def test_lego_runs_where_there_is_no_store(pylego_command, tmp_path):
    for path in (tmp_path / "nowhere", ""):
        done = pylego_command("lego", "--version", env={"LEGO_PATH": str(path)})
        assert done.code == 0, done.err
    assert pylego_command("lego", "certificates", "list", "--path").code == 1


def test_what_cannot_be_finished_is_told_and_lego_does_not_run(crashed, folder, pylego_command):
    folder.chmod(0o777)
    done = pylego_command("lego", "certificates", "list", "--path", folder)
    assert done.code == 1
    assert "others" in done.err
    assert done.out == ""
    assert pylego_command("lego", "--help", env={"LEGO_PATH": str(folder)}).code == 0


def test_a_folder_of_lego_4_becomes_a_store(obtained, here, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where lego writes the configuration that it suggests
    obtained("a.example", "--email", "a@a.example")
    as_lego_4(folder)
    done = here("migrate", "--json")
    assert done.code == 0, done.out
    told = done.json
    warnings = told.pop("warnings")
    assert told == {
        "client": "lego",
        "certificates": ["a.example"],
        "accounts": [{"ca": "https://acme-v02.api.letsencrypt.org/directory", "id": "a@a.example"}],
        "left_out": {},
        "plan": None,
    }
    [suggested] = tmp_path.glob(".lego.migration.*.yml")
    assert any("--filename" in each for each in warnings)
    assert any(str(suggested) in each for each in warnings)
    assert names(FileStore(folder).load("a.example")) == ["a.example"]
    assert here("migrate", "lego", "elsewhere").code == 2


def test_what_lego_does_not_guess_is_left_out_and_said_what_to_do(
    obtained, here, way, folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    obtained("a.example", "--email", "a@a.example")
    url = account_of(folder, way).url
    as_lego_4(folder, known=False)
    (folder / "certificates" / "b.example.json").write_text('{"certUrl": "https://ca.example/1"}')
    done = here("migrate", "--json")
    assert (done.code, done.json["accounts"]) == (4, [])
    account, certificate = sorted(done.json["left_out"])
    assert certificate == str(folder / "certificates" / "b.example.json")
    words = shlex.split(done.json["left_out"][account].split("`")[1])
    assert words[:4] == ["pylego", "accounts", "recover", "--server"]
    assert here("accounts list").code == 1
    done = here("accounts recover", "--server", way.server.directory, *words[5:], "--json")
    assert done.code == 0, done.err
    assert done.json["url"] == url
    assert [each["url"] for each in here("accounts list", "--json").json["accounts"]] == [url]
    assert account in here("migrate").out  # once more: lego says that it is done


def test_a_folder_that_is_still_lego_4s_is_said_to_be_one(obtained, here, way, folder):
    obtained("a.example", "--email", "a@a.example")
    as_lego_4(folder, known=False)
    assert "`pylego migrate`" in here("accounts list").out
    done = here("renew", "--renew-force", *way.ca, "--email", "a@a.example", *way.http)
    assert done.code == 1
    assert "`pylego migrate`" in done.out + done.err


def as_lego_4(folder, *, known=True):
    """Lay a store out as lego 4 did, of a CA that lego 5 knows by its host or not."""
    [host] = folder.glob("accounts/*")
    if known:
        host = host.rename(host.with_name("acme-v02.api.letsencrypt.org"))
    place = host / "a@a.example"
    kept = json.loads((place / "account.json").read_text())
    url = kept["registration"].pop("accountURL")
    old = {"email": "a@a.example", "registration": {"body": kept["registration"], "uri": url}}
    (place / "account.json").write_text(json.dumps(old))
    (place / "keys").mkdir(mode=0o700)
    (place / "a@a.example.key").rename(place / "keys" / "a@a.example.key")
    resource = folder / "certificates" / "a.example.json"
    told = json.loads(resource.read_text())
    urls = {name: told[name] for name in ("certUrl", "certStableUrl")}
    resource.write_text(json.dumps({"domain": "a.example", **urls}))


def test_certbots_folder_is_copied(here, tmp_path, folder, client, acme_server):
    certificate = client.obtain("a.example", challenges=acme_server.http01())
    live = tmp_path / "certbot" / "live"
    for name in ("a.example", "broken.example"):
        (live / name).mkdir(parents=True)
    (live / "a.example" / "fullchain.pem").write_text(certificate.fullchain)
    (live / "a.example" / "privkey.pem").write_text(certificate.private_key)
    done = here("migrate", "certbot", tmp_path / "certbot", "--json")
    assert done.code == 4
    assert done.json["certificates"] == ["a.example"]
    [left_out] = done.json["left_out"]
    assert "broken.example" in left_out
    assert FileStore(folder).load("a.example").serial == certificate.serial
    told = here("migrate", "certbot", tmp_path / "certbot")
    assert told.code == 1
    assert "the store has a certificate a.example already" in told.out


def test_what_is_no_folder_of_a_known_client_is_told(here, tmp_path):
    done = here("migrate", "acme.sh", tmp_path)
    assert done.code == 1
    assert "is no folder of acme.sh's" in done.err
    assert here("migrate", "caddy").code == 2
    assert here("migrate", "certbot", tmp_path, "--account-only").code == 2
