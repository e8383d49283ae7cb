"""Commands on a terminal: bars and tables, however narrow it is; and what Ctrl-C leaves."""

import shutil
import signal

import pytest

from pylego.storage import FileStore
from tests.cli.conftest import CONTROL, PYLEGO, until

pytest.importorskip("typer")

TABLES = [
    "accounts list",
    "accounts register",
    "ca list",
    "ca show",
    "certificates list",
    "certificates show a.example",
    "doctor a.example",
    "migrate certbot",
    "obtain a.example --http",
    "obtain a.example --http --renew-force --dry-run",
    "providers list hetzner",
    "providers show cloudflare",
    "renew",
    "renew --dry-run",
    "status",
]
"""Commands that tell the same whenever they are run."""

SOMETIMES = {"ahead", "behind", "last", "error"}
"""But for how the clocks are; and a heading is not shown where there is nothing below it."""


@pytest.fixture
def line(way, tmp_path, obtained):
    """Complete a command's line; its store has a certificate whose names are longer than a line."""
    obtained("a.example", "www.a.example", f"{'long-' * 8}name.a.example")
    (tmp_path / "certbot" / "live").mkdir(parents=True)
    more = {
        "accounts register": way.ca,
        "ca show": (way.server.directory,),
        "doctor a.example": ("--server", way.server.directory, "--dns.resolvers", way.server.dns),
        "migrate certbot": (tmp_path / "certbot",),
        "obtain a.example --http": (*way.ca, *way.http[1:]),
        "obtain a.example --http --renew-force --dry-run": (*way.ca, *way.http[1:]),
    }
    return lambda command: (command, *more.get(command, ()))


@pytest.mark.parametrize("command", TABLES)
def test_a_narrow_terminal_shows_all_that_is_told_where_nobody_watches(
    command, line, here, on_terminal
):
    piped, shown = here(*line(command)), on_terminal(*line(command), columns=40)
    assert shown.code == piped.code
    assert "…" not in shown.words
    words = set(piped.out.split()) - SOMETIMES
    assert {word for word in words if word not in shown.words} == set()
    assert "\x1b" not in piped.out + piped.err


@pytest.mark.parametrize("command", ["certificates list", "status"])
def test_where_columns_have_no_room_each_row_is_by_itself(command, obtained, on_terminal):
    obtained("a.example", "www.a.example")
    shown = on_terminal(command, columns=40)
    assert "ID     " in CONTROL.sub("", shown.said).splitlines()[0]
    assert "a.example" in shown.said.splitlines()[0]
    assert max(len(CONTROL.sub("", each)) for each in shown.lines) <= 40
    wide = on_terminal(command, columns=300)
    assert len(wide.said.splitlines()) == 2


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("command", ["obtain", "renew", "demo"])
def test_orders_are_bars_on_a_terminal(command, columns, way, obtained, on_terminal):
    arguments = ()
    if command == "renew":
        for each in ("a.example", "b.example", "c.example"):
            obtained(each)
        arguments = ("--renew-force",)
    elif command == "obtain":
        arguments = ("a.example", "b.example", *way.ca, *way.http)
    shown = on_terminal(command, *arguments, columns=columns)
    assert shown.code == 0, shown.said
    done = {"obtain": "2/2names", "renew": "3/3certificates", "demo": "21/21names"}
    assert done[command] in shown.words
    drawn = [CONTROL.sub("", each) for each in shown.said.split("\x1b[?25h")[0].split("\x1b[2K")]
    assert max(len(each) for part in drawn for each in part.splitlines()) <= columns
    assert shown.said.rindex("\x1b[?25h") > shown.said.rindex("\x1b[?25l")  # the cursor is there


def test_one_that_is_renewed_has_a_bar_of_its_own(obtained, on_terminal):
    obtained("a.example", "b.example")
    shown = on_terminal("renew", "--renew-force")
    assert "2/2names" in shown.words
    assert "certificates" not in shown.words
    assert "a.exampleisrenewed" in shown.words


@pytest.mark.parametrize("command", ["renew", "providers show cloudflare"])
def test_no_colour_is_shown_where_none_is_wanted(command, obtained, on_terminal):
    arguments = ("--renew-force",) if command == "renew" else ()
    obtained("a.example")
    shown = on_terminal(command, *arguments, env={"NO_COLOR": "1"})
    attributes = {each for each in CONTROL.findall(shown.said) if each.endswith("m")}
    assert attributes <= {"\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[3m", "\x1b[2;3m", "\x1b[1;2m"}


@pytest.mark.parametrize("command", ["obtain", "renew", "demo", "status"])
def test_a_terminal_that_knows_no_control_has_plain_lines(command, way, obtained, on_terminal):
    obtained("a.example")
    arguments = {"obtain": ("b.example", *way.ca, *way.http), "renew": ("--renew-force",)}.get(
        command, ()
    )
    shown = on_terminal(command, *arguments, env={"TERM": "dumb"})
    assert shown.code == 0
    assert "\x1b" not in shown.said
    assert ("issued\n" in shown.said) is (command in {"obtain", "renew", "demo"})


def test_an_order_goes_on_where_its_terminal_has_gone(started, way, folder):
    source = f"import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN); {PYLEGO}"
    wait = ("--http.delay", "1s")
    arguments = ("obtain", "a.example", *way.ca, *way.http, *wait, "--path", folder)
    running = started(*arguments, source=source, env=way.env, terminal=True)
    until(running.output, "presented")
    running.input.close()
    running.output.close()
    running.process.wait(60)
    assert FileStore(folder).load("a.example")


## Ctrl-C


@pytest.fixture
def waiting(way, started):
    """Start a command that waits for a record that it has set; give it on its terminal."""
    flags = (*way.dns, "--dns.propagation.wait", "600s")

    def start(*arguments, **settings):
        given = flags if settings.pop("flags", True) else ()
        running = started(*arguments, *given, source=PYLEGO, terminal=True, **settings)
        return running, until(running.output, "presented")

    return start


def test_a_terminal_that_is_lost_ends_an_order_after_its_clean_up(waiting, way, folder):
    running, _ = waiting("obtain", "a.example", *way.ca, "--path", folder, env=way.env)
    assert way.server.records()
    running.input.close()
    running.output.close()
    assert running.process.wait(60) == 128 + signal.SIGHUP
    assert way.server.records() == {}
    with FileStore(folder).lock("a.example", 0):
        pass  # nobody has it


def test_ctrl_c_leaves_nothing_of_renewals(waiting, obtained, way, folder):
    ids = ("a.example", "b.example")
    for each in ids:
        obtained(each)
    before = {each: FileStore(folder).load(each).serial for each in ids}
    running, _ = waiting("renew", "--renew-force", env={**way.env, "LEGO_PATH": str(folder)})
    running.type("\x03")
    code, said, _ = running.end()
    assert code == 130, said
    assert "ended by SIGINT" in said
    assert "Traceback" not in said
    assert "\x1b[?25h" in said
    assert way.server.records() == {}
    assert {each: FileStore(folder).load(each).serial for each in ids} == before
    for each in ids:
        assert FileStore(folder).pending(each) is None
        with FileStore(folder).lock(each, 0):
            pass  # nobody has it


@pytest.fixture
def asked(obtained, started, way, folder):
    """Renew two certificates whose account is gone; give the program when it asks for the terms."""
    for each in ("a.example", "b.example"):
        obtained(each)
    shutil.rmtree(folder / "accounts")
    env = {**way.env, "LEGO_PATH": str(folder)}
    running = started("renew", "--renew-force", source=PYLEGO, env=env, terminal=True)
    until(running.output, "[y/N]")
    return running


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1)])
def test_who_is_there_is_asked_once_before_many_are_renewed(answer, code, asked):
    asked.type(f"{answer}\n")
    ended, said, _ = asked.end()
    assert ended == code, said
    assert "[y/N]" not in said
    assert said.count("is renewed" if answer == "y" else "--accept-tos") == 2


def test_ctrl_c_ends_a_question(asked, way):
    asked.type("\x03")
    code, said, _ = asked.end()
    assert code == 130, said
    assert "Traceback" not in said
    assert way.server.requests().get("newOrder") == 2


@pytest.mark.parametrize("how", ["key", "signal"])
def test_ctrl_c_ends_a_manager_on_its_terminal_and_leaves_nothing(how, waiting, way, tmp_path):
    path = tmp_path / "pylego.toml"
    path.write_text(f"""
storage = "store"
[accounts.main]
server = "{way.server.directory}"
accepts_terms_of_service = true
[challenges.web.dns]
provider = "httpreq"
propagation.wait = 600
[certificates."a.example"]
domains = ["a.example"]
""")
    running, said = waiting("manager", "--config", path, env=way.env, flags=False)
    assert way.server.records()
    if how == "key":
        running.type("\x03")
    else:
        running.process.send_signal(signal.SIGTERM)
    code, rest, _ = running.end()
    assert code == 0
    assert "a.example: stopped" in rest
    assert "\x1b" not in said + rest  # lines, for it is a log
    assert way.server.records() == {}
    with FileStore(tmp_path / "store").lock("a.example", 0):
        pass  # nobody has it
