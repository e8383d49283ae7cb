"""What a newcomer gets wrong: each mistake has one message that says what to do, and no traceback."""

import shlex

import pytest

pytest.importorskip("typer")


@pytest.fixture
def told(monkeypatch, capsys, tmp_path):
    """Run a line in this process: its exit code, stdout and stderr. No test of it asks a CA."""
    from pylego.cli import _app, _frame

    monkeypatch.setattr(_frame, "SIGNALS", ())  # they stay the tests' own
    monkeypatch.chdir(tmp_path)
    for name in ("LEGO_SERVER", "LEGO_PATH", "LEGO_EMAIL", "HTTPREQ_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "text").write_text("no key, no request, no TOML\n")

    def run(line):
        code = _frame.run(_app.app, shlex.split(line))
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("obtain --http", 2, "which names? Give them, or --csr"),
        ("obtain a.example", 2, "Give --http, --tls, --dns or --dns-persist"),
        ("obtain 'a b' --http", 2, "it has a character that is neither letter, digit nor hyphen"),
        ("obtain https://a.example --http", 2, "is not a name that a certificate can hold"),
        ("obtain '' --http", 2, "which names?"),
        ("obtain a.example --http --renew-days 99999", 2, "from 0 to 36500"),
        ("obtain a.example --http --eab", 2, "--eab needs --eab.kid"),
        ("obtain a.example --http --eab.kid k", 2, "LEGO_EAB_HMAC_FILE"),
        ("obtain a.example --http --eab.kid k --dry-run", 2, "LEGO_EAB_HMAC_FILE"),
        ("obtain '*.a.example' --http --tls", 2, "validated by --dns or --dns-persist"),
        ("obtain a.example --http --server letsencript", 2, "did you mean letsencrypt?"),
        ("obtain a.example --http --server http://a.example/", 2, "an https URL or a code"),
        ("obtain a.example --http -k RSA1024", 2, "is none of EC256, EC384"),
        ("obtain a.example --http --renew-days soon", 2, "Invalid value for '--renew-days'"),
        ("obtain a.example --http --not-after soon", 2, "2026-03-01T00:00:00Z is one"),
        ("obtain a.example --http --timeout soon", 2, "90s and 1m30s are"),
        ("obtain a.example --http --csr text", 2, "give either it or names"),
        ("obtain --http --csr nowhere", 1, "nowhere: No such file or directory"),
        ("obtain --http --csr text", 2, "not a PEM CSR that can be read"),
        ("obtain a.example --http --private-key text", 2, "text has no private key in PEM"),
        ("obtain a.example --http --cert.name ../a", 2, "no file can have / in its name"),
        ("obtain a.example --http --path text", 1, "text is not a folder"),
        ("obtain a.example --dns nobody", 2, "lego has no DNS provider 'nobody'"),
        ("obtain a.example --dns httprec", 2, "did you mean httpreq?"),
        ("obtain a.example --dns httpreq", 2, "set them in the environment, or in a file for"),
        ("obtain a.example --dns httpreq --env-file text", 2, "line 1: NAME=value is wanted"),
        ("obtain a.example --http --pfx.format X", 2, "is none of SHA256"),
        ("obtain a.example --http --deploy-hook '\"'", 2, "--deploy-hook: No closing quotation"),
        ("renew a.example", 2, ".lego has no certificate a.example; it has none"),
        ("renew --config nowhere", 1, "nowhere: No such file or directory"),
        ("renew --eab", 2, "--eab needs --eab.kid"),
        ("renew --config text", 2, "text:1: Expected '='"),
        ("renew --config text --http", 2, "--http does nothing beside --config"),
        ("renew --config text --renew-days 3", 2, "--renew-days does nothing beside --config"),
        ("renew --config text --deploy-hook true", 2, "--deploy-hook does nothing beside"),
        ("renew --config text -s letsencrypt-staging", 2, "--server does nothing beside --config"),
        ("renew --config text --account-id a", 2, "--account-id does nothing beside --config"),
        ("renew --config text --timeout 9s", 2, "--timeout does nothing beside --config"),
        ("status --config text --renew-days 9", 2, "--renew-days does nothing beside --config"),
        ("status --renew-force", 2, "No such option"),
        ("certificates show a.example", 2, ".lego has no certificate a.example"),
        ("certificates revoke a.example", 2, ".lego has no certificate a.example"),
        ("certificates revoke", 2, "which certificates? Give their IDs"),
        ("certificates revoke a --reason because", 2, "--reason is one of unspecified, key"),
        ("accounts update", 2, "give either --new-email or --no-email"),
        ("accounts update --new-email ''", 2, "give either --new-email or --no-email"),
        ("accounts update --no-email", 2, "`pylego accounts register` makes one"),
        ("accounts recover", 2, "Missing option '--private-key'"),
        ("accounts recover --private-key text", 2, "text has no private key in PEM"),
        ("accounts register --eab", 2, "--eab needs --eab.kid"),
        ("accounts register --eab --dry-run", 2, "--eab needs --eab.kid"),
        ("accounts register --eab.kid k --dry-run", 2, "LEGO_EAB_HMAC_FILE"),
        ("accounts register --account-id ../a --dry-run", 2, "cannot be the ID of an account"),
        ("accounts register -k X", 2, "is none of EC256, EC384"),
        ("providers show clodflare", 2, "did you mean cloudflare?"),
        ("ca show letsencript", 2, "nor one of lego's codes: "),
        ("migrate caddy", 2, "CLIENT is one of lego, certbot, acme.sh"),
        ("migrate", 1, "is no folder of lego's"),
        ("migrate certbot nowhere", 1, "it has neither `live` nor `accounts`"),
        ("manager", 2, "Missing option '--config'"),
        ("manager --config nowhere", 1, "nowhere: No such file or directory"),
        ("testca --port 99999", 2, "65535"),
        ("testca --nonce-reject 200", 2, "nonce_reject must be 0 to 100"),
        ("obtian", 2, "Did you mean 'obtain'?"),
    ],
)
def test_a_mistake_is_told_in_words(line, code, words, told):
    ended, out, err = told(line)
    assert (ended, out) == (code, "")
    assert words in err
    assert "Traceback" not in err
    assert "Errno" not in err


def test_what_is_not_found_is_told_in_words(told, tmp_path):
    for line in ("status", "certificates list", "renew"):
        assert told(line)[1] == f"the store {tmp_path / '.lego'} has no certificate\n"
    assert told("providers list nobody")[:2] == (1, "none of lego's DNS providers is like that\n")
