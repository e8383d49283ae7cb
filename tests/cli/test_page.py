"""The page on the command line: its commands exist, and their JSON is as it shows.

That is the schema which programs rely on: a field that goes, or changes its type, fails here.
"""

import json
import re
import shlex
from pathlib import Path

import pytest

typer = pytest.importorskip("typer")

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "command-line.md").read_text()
BLOCK = re.compile(r'^```(\w+)(?: title="([^"\n]*)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
SHELL = [code for language, _, code in BLOCK.findall(PAGE) if language == "bash"]
LINES = [
    line
    for code in SHELL
    for line in code.replace("\\\n", " ").splitlines()
    if line.startswith("pylego ")
]
EXAMPLES = {
    title: json.loads(code)
    for language, title, code in BLOCK.findall(PAGE)
    if language == "json" and title
}

MAPS = {"profiles", "external_accounts", "unreadable", "left_out"}
"""Fields whose own names are anybody's."""


def tree():
    from pylego.cli._app import app

    return typer.main.get_command(app)


def commands(command, words=("pylego",)):
    if not hasattr(command, "commands"):
        yield " ".join(words)
        return
    for name, each in command.commands.items():
        if not each.hidden:
            yield from commands(each, (*words, name))


def found(line):
    """Find a line's command, and its flags that are ours."""
    command = tree()
    _, *words = shlex.split(line)
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        command = command.commands[words.pop(0)]
        if command.name == "lego":
            return command, set()
    return command, {word.partition("=")[0] for word in words if word.startswith("-")}


def shape(value, name=""):
    """Reduce a value to its fields and types."""
    match value:
        case dict() if name in MAPS:
            return {shape(each) for each in value.values()}
        case dict():
            return {key: shape(each, key) for key, each in value.items()}
        case list():
            return [shape(each) for each in value[:1]]
        case bool() | str() | None:
            return type(value).__name__
        case _:
            return "number"


def fits(actual, told):
    """Compare shapes; null and an empty list say nothing of what else there may be."""
    if "NoneType" in (actual, told):
        return True
    if isinstance(told, set):
        return isinstance(actual, set) and (not (actual and told) or actual == told)
    if isinstance(told, dict):
        return (
            isinstance(actual, dict)
            and actual.keys() == told.keys()
            and all(fits(actual[name], told[name]) for name in told)
        )
    if isinstance(told, list):
        return isinstance(actual, list) and (not (actual and told) or fits(actual[0], told[0]))
    return actual == told


@pytest.mark.parametrize("line", [*LINES, *EXAMPLES])
def test_what_a_line_says_exists(line):
    command, flags = found(line)
    known = {name for each in command.params for name in each.opts}
    if line.split()[1].startswith("-"):
        known |= {"--help", "--install-completion", "--show-completion"}
    assert flags <= known


def test_every_command_is_on_the_page_and_has_its_json():
    ours = set(commands(tree())) - {"pylego lego"}
    shown = {" ".join(["pylego", *path(title)]) for title in EXAMPLES}
    assert shown == ours
    assert [name for name in ours if f"`{name}`" not in PAGE] == []


def path(line):
    command, words = tree(), []
    for word in shlex.split(line)[1:]:
        if not hasattr(command, "commands"):
            break
        command = command.commands[word]
        words.append(word)
    return words


RUNNING = ("pylego testca", "pylego manager")
"""What does not end by itself."""

BEFORE = {
    "certificates": "obtain www.example.com --http",
    "renew": "obtain www.example.com --http",
    "status": "obtain www.example.com --http",
    "accounts": "accounts register",
}
"""What a store has to have for a command."""


@pytest.fixture
def places(tmp_path, way, pylego_command):
    """Variables and files for the page's lines: `places(words)` gives them."""
    env = {
        **way.env,
        "LEGO_PATH": str(tmp_path / "store"),
        "LEGO_SERVER": way.server.directory,
        "LEGO_ACCEPT_TOS": "true",
        "LEGO_EMAIL": "ops@example.com",
        "LEGO_HTTP_ADDRESS": f"127.0.0.1:{way.server.http_port}",
    }
    (tmp_path / "letsencrypt" / "live").mkdir(parents=True)

    def put(words):
        if before := BEFORE.get(words[0]):
            done = pylego_command(*before.split(), env=env)
            assert done.code == 0, done.err
        files = {
            "https://ca.example.com/acme/directory": way.server.directory,
            "/etc/letsencrypt": str(tmp_path / "letsencrypt"),
            "account.key": next(map(str, (tmp_path / "store").glob("accounts/*/*/*.key")), ""),
        }
        return [files.get(word, word) for word in words], env

    return put


@pytest.mark.parametrize("title", [title for title in EXAMPLES if not title.startswith(RUNNING)])
def test_json_is_as_the_page_shows(title, pylego_command, way, places):
    arguments, env = places(shlex.split(title)[1:])
    if "doctor" in arguments:
        arguments += [
            "--http.address",
            "192.0.2.1:80",
            "--server",
            way.server.directory,
            "--dns.resolvers",
            way.server.dns,
        ]
    done = pylego_command(*arguments, env=env)
    assert fits(shape(done.json), shape(EXAMPLES[title])), shape(done.json)


def test_the_lines_of_the_manager_are_as_the_page_shows(started, way, tmp_path):
    from tests.cli.conftest import PYLEGO

    [title] = [title for title in EXAMPLES if "manager" in title]
    (tmp_path / "pylego.toml").write_text(
        f"""
        storage = "store"
        [accounts.main]
        server = "{way.server.directory}"
        accepts_terms_of_service = true
        [challenges.web.http]
        address = "127.0.0.1:{way.server.http_port}"
        [certificates."www.example.com"]
        domains = ["www.example.com"]
        """
    )
    words = title.replace("pylego.toml", str(tmp_path / "pylego.toml"))
    running = started(*shlex.split(words)[1:], source=PYLEGO, env=way.env)
    told = json.loads(running.line())
    running.interrupt()
    assert fits(shape(told), shape(EXAMPLES[title]))


def test_the_line_of_testca_is_as_the_page_shows(started):
    from tests.cli.conftest import PYLEGO

    [title] = [title for title in EXAMPLES if "testca" in title]
    running = started(*shlex.split(title)[1:], source=PYLEGO)
    told = json.loads(running.line())
    assert fits(shape(told), shape(EXAMPLES[title]))


def test_an_error_is_as_the_page_shows(pylego_command):
    [told] = [
        json.loads(code)
        for language, title, code in BLOCK.findall(PAGE)
        if language == "json" and not title
    ]
    for arguments in (["providers", "show", "nobody"], ["ca", "show"], ["nonsense"]):
        assert fits(shape(pylego_command(*arguments, "--json").json), shape(told))


def test_shapes_differ_where_fields_or_types_do():
    assert fits(shape({"a": 1, "b": None}), shape({"a": 0.5, "b": "x"}))
    assert not fits(shape({"a": 1}), shape({"a": "x"}))
    assert not fits(shape({"a": 1}), shape({"a": 1, "b": 2}))
    assert not fits(shape({"a": [{"b": 1}]}), shape({"a": [{"c": 1}]}))


def shared():
    """Give the flags that several commands share, with their variables."""
    from pylego.cli._frame import _options
    from pylego.cli._hooks import HookFlags
    from pylego.cli._issuing import Renewal
    from pylego.cli._obtain import Wanted
    from pylego.cli._options import CA, Validation
    from pylego.cli._place import Copies, Holder, Place

    for kind in (CA, Validation, Place, Holder, Copies, HookFlags, Wanted, Renewal):
        for each in _options(kind):
            [told] = each.annotation.__metadata__
            if not told.hidden:
                yield told.default, told.envvar


def test_every_flag_that_several_commands_share_is_on_the_page():
    assert [flag for flag, _ in shared() if f"`{flag}`" not in PAGE and flag != "--eab"] == []


def test_a_flag_with_a_variable_of_legos_is_legos():
    table = (ROOT / "docs" / "lego.md").read_text()
    assert [flag for flag, variable in shared() if variable and f"| `{flag}`" not in table] == []
