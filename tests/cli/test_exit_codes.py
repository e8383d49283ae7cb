"""Every exit code of every command, and what each prints for programs then: it is as the page shows."""

import json
import shlex

import pytest

typer = pytest.importorskip("typer")

from tests.cli.test_page import BLOCK, EXAMPLES, PAGE, commands, fits, path, shape, tree  # noqa: E402

OBTAIN, OTHER = "obtain a.example --http", "obtain b.example --http"
REGISTER, SPOIL = "accounts register", "spoil b.example.key"

CASES = {
    "obtain": {
        0: [OBTAIN],
        1: ["obtain blocked.example --http"],
        2: ["obtain --http"],
        3: [OBTAIN, OBTAIN],
    },
    "renew": {
        0: [OBTAIN, "renew --renew-force"],
        1: [OBTAIN, "renew --renew-force --http --http.address 127.0.0.1:1"],
        2: ["renew nobody"],
        3: [OBTAIN, "renew"],
        4: [OBTAIN, OTHER, "spoil b.example.crt", "renew --renew-force"],
    },
    "manager": {1: ["manager --config nowhere"], 2: ["manager"]},
    "status": {0: [OBTAIN, "status"], 1: [OTHER, SPOIL, "status"], 2: ["status nobody"]},
    "certificates list": {
        0: [OBTAIN, "certificates list"],
        1: [OBTAIN, OTHER, SPOIL, "certificates list"],
        2: ["certificates list --nothing"],
    },
    "certificates show": {
        0: [OBTAIN, "certificates show a.example"],
        1: [OTHER, SPOIL, "certificates show b.example"],
        2: ["certificates show a.example"],
    },
    "certificates revoke": {
        0: [OBTAIN, "certificates revoke a.example"],
        1: [OTHER, SPOIL, "certificates revoke b.example"],
        2: [OBTAIN, "certificates revoke a.example b.example"],
        4: [OBTAIN, OTHER, SPOIL, "certificates revoke a.example b.example"],
    },
    "accounts list": {
        0: [REGISTER, "accounts list"],
        1: [REGISTER, "spoil account.json", "accounts list"],
        2: ["accounts list --nothing"],
    },
    "accounts register": {
        0: [REGISTER],
        1: ["accounts register --email nonsense"],
        2: ["accounts register -k X"],
    },
    "accounts recover": {
        0: [REGISTER, "accounts recover --private-key ACCOUNT_KEY"],
        1: [OBTAIN, "accounts recover --private-key CERTIFICATE_KEY"],
        2: ["accounts recover"],
    },
    "accounts update": {
        0: [REGISTER, "accounts update --no-email"],
        1: [REGISTER, "accounts update --new-email nonsense"],
        2: ["accounts update --no-email"],
    },
    "accounts rollover": {
        0: [REGISTER, "accounts rollover"],
        1: [REGISTER, "accounts rollover --private-key nowhere"],
        2: ["accounts rollover"],
    },
    "accounts deactivate": {
        0: [REGISTER, "accounts deactivate --yes"],
        1: [REGISTER, "accounts deactivate --yes", "accounts deactivate --yes"],
        2: ["accounts deactivate --yes"],
    },
    "migrate": {
        0: ["migrate certbot good"],
        1: ["migrate certbot nowhere"],
        2: ["migrate caddy"],
        4: ["migrate certbot partly"],
    },
    "providers list": {
        0: ["providers list hetzner"],
        1: ["providers list nothinglikeit"],
        2: ["providers list --nothing"],
    },
    "providers show": {0: ["providers show hetzner"], 2: ["providers show nobody"]},
    "ca list": {0: ["ca list"], 2: ["ca list --nothing"]},
    "ca show": {0: ["ca show SERVER"], 1: ["ca show https://127.0.0.1:1/"], 2: ["ca show nobody"]},
    "doctor": {
        0: ["doctor"],
        1: ["doctor --dns nobody"],
        2: ["doctor --http --http.address nowhere"],
    },
    "testca": {2: ["testca --nonce-reject 200"]},
    "demo": {0: ["demo"], 2: ["demo --nothing"]},
}
"""Lines of which the last ends so. What runs until it is ended (0) has tests of its own."""

[ERROR] = [
    json.loads(code)
    for language, title, code in BLOCK.findall(PAGE)
    if language == "json" and not title
]


@pytest.fixture
def lines(monkeypatch, capsys, tmp_path, way, client, acme_server):
    """Run lines in this process, with --json: the last one's exit code, and its object."""
    from pylego.cli import _app, _frame

    store = tmp_path / "store"
    variables = {
        "LEGO_PATH": str(store),
        "LEGO_SERVER": acme_server.directory,
        "LEGO_EMAIL": "a@a.example",
        "LEGO_ACCEPT_TOS": "true",
        "LEGO_HTTP_ADDRESS": f"127.0.0.1:{acme_server.http_port}",
    }
    for name, value in {**way.env, **variables}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(_frame, "SIGNALS", ())  # they stay the tests' own
    monkeypatch.chdir(tmp_path)

    def certbot(name, *broken):
        certificate = client.obtain("c.example", challenges=acme_server.http01())
        for each in ("c.example", *broken):
            (tmp_path / name / "live" / each).mkdir(parents=True)
        live = tmp_path / name / "live" / "c.example"
        (live / "fullchain.pem").write_text(certificate.fullchain)
        (live / "privkey.pem").write_text(certificate.private_key)

    def run(line):
        if "good" in line or "partly" in line:
            certbot(line.split()[-1], *(["d.example"] if "partly" in line else []))
        files = {
            "ACCOUNT_KEY": "accounts/*/*/*.key",
            "CERTIFICATE_KEY": "certificates/*.key",
            "account.json": "accounts/*/*/account.json",
            "b.example.key": "certificates/b.example.key",
            "b.example.crt": "certificates/b.example.crt",
        }
        words = [
            str(next(store.glob(files[word]))) if word in files else word
            for word in shlex.split(line.replace("SERVER", acme_server.directory))
        ]
        if words[0] == "spoil":
            (store / words[1]).write_text("nothing")
            return None
        return _frame.run(_app.app, [*words, "--json"])

    def every(given):
        for line in given:
            capsys.readouterr()
            code = run(line)
        return code, json.loads(capsys.readouterr().out)

    return every


@pytest.mark.acme_server(blocked_names=["blocked.example"])
@pytest.mark.parametrize(
    ("command", "code"), [(command, code) for command, codes in CASES.items() for code in codes]
)
def test_a_code_comes_with_the_object_that_the_page_shows(command, code, lines):
    ended, told = lines(CASES[command][code])
    assert ended == code, told
    [shown, *_] = [
        data
        for title, data in EXAMPLES.items()
        if " ".join(path(title)) == command and "--dry-run" not in title
    ]
    failed = set(told) == {"error"}
    assert fits(shape(told), shape(ERROR if failed else shown)), told
    assert failed or code != 2


def test_every_command_has_its_codes():
    assert {f"pylego {command}" for command in CASES} == set(commands(tree())) - {"pylego lego"}
    having = {code: {each for each in CASES if code in CASES[each]} for code in range(5)}
    assert having[2] == set(CASES)
    assert having[0] == set(CASES) - {"manager", "testca"}
    assert having[3] == {"obtain", "renew"}
    assert having[4] == {"renew", "certificates revoke", "migrate"}
    assert "3 comes from `obtain` and `renew` alone, and 4 from `renew`" in PAGE
