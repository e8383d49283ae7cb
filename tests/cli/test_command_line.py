"""The command line as a person runs it."""

import json
import os
import shutil
import subprocess
import sys

import pytest

import pylego
from tests.servers.fixtures import missing

pytest.importorskip("typer")


def run(*arguments):
    command = [sys.executable, "-c", "from pylego.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, check=False, text=True, timeout=60)


def test_the_demo_verifies_three_certificates():
    done = run("demo")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("verified against the CA's root") == 3
    for word in ("HTTP-01", "TLS-ALPN-01", "DNS-01", "*.shop.example", "host20.shop.example"):
        assert word in done.stdout


def test_the_demo_shows_each_chain_from_the_leaf_to_the_root():
    lines = [line.strip("│ ") for line in run("demo").stdout.splitlines()]
    for leaf in ("www.shop.example", "mail.shop.example", "*.shop.example"):
        place = lines.index(f"chain   {leaf}")
        assert lines[place + 1].startswith("<- Pebble Intermediate CA ")
        assert lines[place + 2].startswith("<- Pebble Root CA ")
        assert lines[place + 3] == "verified against the CA's root"


# A network of its own, which has the loopback interface alone: SIOCSIFFLAGS sets IFF_UP.
ALONE = """
import fcntl, os, socket, struct, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as interfaces:
    fcntl.ioctl(interfaces, 0x8914, struct.pack("16sh14x", b"lo", 1))
os.execv(sys.executable, [sys.executable, "-c", "from pylego.cli import main; main()", "demo"])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")
def test_the_demo_needs_no_network_and_no_resolver():
    unshare = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "-rn"]
    command = [*unshare, sys.executable, "-c", ALONE]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*unshare, "true"], check=False).returncode
    ):
        missing("a network of one's own is not allowed here")
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("verified against the CA's root") == 3


def test_the_demo_fails_where_a_chain_does_not_verify(monkeypatch):
    from pylego.cli import _demo

    monkeypatch.setattr(_demo, "_unverified", lambda *_: "nobody trusts it")
    outcome = _demo.demo()
    assert outcome.code == 1
    assert {each["problem"] for each in outcome.data["certificates"]} == {"nobody trusts it"}


def test_a_wrong_root_does_not_verify(acme_server, client):
    from pylego.cli import _demo

    certificate = client.obtain("a.example", challenges=acme_server.http01())
    assert _demo._unverified(certificate, acme_server.roots[0], ("a.example",)) == ""
    assert _demo._unverified(certificate, acme_server.trust_root, ("a.example",)) != ""
    assert _demo._unverified(certificate, acme_server.roots[0], ("b.example",)) != ""


def test_the_version():
    assert run("--version").stdout.startswith("pylego ")


def test_providers_are_listed_and_searched():
    assert len(run("providers", "list").stdout.splitlines()) == 1 + len(pylego.providers)
    found = run("providers", "list", "hetzner")
    assert found.stdout.splitlines()[1].split() == ["hetzner", "Hetzner", "v3.7.0"]
    assert run("providers", "list", "no provider is like that").returncode == 1
    every = json.loads(run("providers", "list", "--json").stdout)["providers"]
    assert [each["code"] for each in every] == sorted(pylego.providers)


def test_a_provider_is_shown_with_its_settings_and_code_to_copy():
    shown = run("providers", "show", "cloudflare").stdout
    assert pylego.providers["cloudflare"].python in shown
    for variable in pylego.providers["cloudflare"].variables:
        assert variable.name in shown
    assert "Needs CLOUDFLARE_EMAIL (or CF_API_EMAIL) and" in shown
    as_json = json.loads(run("providers", "show", "acme-dns", "--json").stdout)
    assert (as_json["code"], as_json["aliases"]) == ("acmedns", ["acme-dns"])


@pytest.mark.parametrize("code", ["cloudflare", "duckdns"])
def test_what_a_provider_does_with_its_records_is_shown(code):
    [told] = pylego.providers[code].caveats
    assert told in run("providers", "show", code).stdout.splitlines()
    assert told not in run("providers", "show", "hetzner").stdout


def test_a_provider_that_lego_has_not_is_refused_with_the_nearest_name():
    done = run("providers", "show", "cloudfare")
    assert (done.returncode, done.stdout) == (2, "")
    words = "lego has no DNS provider 'cloudfare'; did you mean cloudflare?"
    assert done.stderr == f"[unknown_provider] {words}\n"


def last(arguments, condition):
    """Run a command, then look whether a condition holds in its process."""
    source = f"import sys; from pylego.cli import _app, _frame; assert _frame.run(_app.app, {arguments}) == 0"
    source += f"; assert {condition}"
    subprocess.run([sys.executable, "-c", source], capture_output=True, check=True)


NO_GO = "'lego.so' not in open('/proc/self/maps').read()"


@pytest.mark.parametrize("arguments", [["providers", "list"], ["providers", "show", "cloudflare"]])
def test_showing_providers_loads_no_go(arguments):
    last(arguments, NO_GO)


def test_help_loads_neither_go_nor_what_commands_need():
    last(["--help"], NO_GO)
    needless = {"rich", "pylego._client", "pylego._providers", "importlib.metadata", "ssl"}
    last(["--help"], f"not {needless} & set(sys.modules)")
    last(["--help"], "'pylego.cli._options' not in sys.modules")


def test_help_tells_of_each_command_what_it_says_itself():
    from pylego.cli import _app

    for name, entry in _app.COMMANDS.items():
        assert entry.load(name).get_short_help_str(limit=1000) == entry.about
        assert entry.load(name).hidden == entry.hidden


def test_a_command_is_loaded_without_the_others():
    last(["providers", "list"], "'pylego.cli._certificates' not in sys.modules")


def test_a_misspelt_command_is_told_with_the_nearest_one():
    done = run("obtan")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Did you mean 'obtain'?" in done.stderr


def complete(words):
    env = {"_PYLEGO_COMPLETE": "complete_bash", "COMP_WORDS": words}
    env["COMP_CWORD"] = str(len(words.split(" ")) - 1)
    command = [sys.executable, "-c", "from pylego.cli import main; main()"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **env}
    )
    return sorted(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("pylego prov", ["providers"]),
        ("pylego ca ", ["list", "show"]),
        ("pylego doctor --http.w", ["--http.webroot"]),
        ("pylego doctor --dns cloudf", ["cloudflare"]),
        ("pylego providers show acme", ["acme-dns", "acmedns"]),
        ("pylego ca show letsencrypt-", ["letsencrypt-staging"]),
        ("pylego lego ru", []),
    ],
)
def test_a_shell_completes(words, offered):
    assert complete(words) == offered


@pytest.mark.parametrize(
    ("shell", "begins"),
    [("bash", "_pylego_completion()"), ("zsh", "#compdef"), ("fish", "complete")],
)
def test_a_shell_is_given_what_completes_by_its_name(shell, begins):
    done = run("--show-completion", shell)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(begins)


def test_a_shell_that_there_is_not_is_wrong_use():
    done = run("--show-completion", "tcsh")
    assert done.returncode == 2
    for name in ("bash", "zsh", "fish"):
        assert name in done.stderr


BASH = """
eval "$(pylego --show-completion bash)"
COMP_WORDS=(pylego prov) COMP_CWORD=1
_pylego_completion pylego
echo "${COMPREPLY[@]}"
"""
FISH = "pylego --show-completion fish | source; complete -C 'pylego prov'"
ZSH = """
autoload -Uz compinit && compinit -u -d $HOME/dump
eval "$(pylego --show-completion zsh)"
_arguments() { print -r -- $* }
words=(pylego prov) CURRENT=2
_pylego_completion
"""
COMPLETED = {
    "bash": ("bash", "--norc", "-c", BASH),
    "fish": ("fish", "--no-config", "-c", FISH),
    "zsh": ("zsh", "-f", "-c", ZSH),
}
"""Each shell's own reading of what it is given, as far as what it would offer."""


@pytest.mark.parametrize("shell", COMPLETED)
def test_a_shell_itself_completes(shell, tmp_path):
    if shutil.which(shell) is None:
        missing(f"{shell} is not installed")
    program = tmp_path / "pylego"
    source = "from pylego.cli import main; main()"
    program.write_text(f"#!{sys.executable}\n{source}\n")
    program.chmod(0o755)
    env = {
        **os.environ,
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
    }
    done = subprocess.run(
        COMPLETED[shell], capture_output=True, text=True, check=False, timeout=60, env=env
    )
    assert "providers" in done.stdout, done.stderr
    assert "DNS providers and their settings" in done.stdout or shell == "bash"
    assert "status" not in done.stdout


def test_without_its_packages_it_names_the_one_command_that_adds_them():
    source = "import pylego.cli; pylego.cli.find_spec = lambda name: None; pylego.cli.main()"
    command = [sys.executable, "-c", source]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert done.returncode == 1
    assert "pip install 'pylego[cli]'" in done.stderr
