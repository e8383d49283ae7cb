"""Every Python example of the docs, the README and the docstrings is executed.

Pages are, from top to bottom; the tests among their functions are then run by pytest.
"""

import ast
import asyncio
import inspect
import re
from pathlib import Path

import anyio
import pytest

import pylego.testing
from pylego import HTTP01

pytest_plugins = ("pytester",)

ROOT = Path(__file__).parents[2]
ASYNC = ROOT / "docs" / "guide" / "async.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [
    page
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if BLOCK.search(page.read_text())
]

TEST = re.compile(r"^def test_\w+", re.MULTILINE)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

WORLD = (
    # What stands in the examples, and what stands for it here. First come, first served.
    (r'"letsencrypt(-staging)?"', "directory"),
    (r'DNS01\(\s*"(cloudflare|namecheap)".*?\)', "server.dns01()"),
    (r"HTTP01\((port=\d+)?\)", 'HTTP01(host="127.0.0.1", port=server.http_port)'),
    (r"TLSALPN01\((port=\d+)?\)", 'TLSALPN01(host="127.0.0.1", port=server.tls_port)'),
    (r'make_server\("", 80, app\)', 'make_server("127.0.0.1", server.http_port, app)'),
    (r'":80"', 'f"127.0.0.1:{server.http_port}"'),
    (r'"HTTP01_PORT": "80"', '"HTTP01_PORT": str(server.http_port)'),
    (r'"https://ca\.example\.com/acme/directory"', "directory"),
    (
        r'\n    env=\{"NAMECHEAP.*?\},\n    plugin="namecheap"',
        '\n    env=httpreq, plugin="httpreq"',
    ),
    (r'"/etc/ssl/example"', "folder"),
    (
        r"verify\(timeout=120\)",
        "verify(timeout=120, resolvers=[server.dns], check_authoritative=False, check_recursive=True)",
    ),
)


def named(page):
    return str(page.relative_to(ROOT))


def docstrings():
    """Give each docstring that has an example, by where it stands."""
    for file in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            documented = isinstance(node, (ast.Module, ast.ClassDef, *FUNCTIONS))
            text = ast.get_docstring(node) if documented else None
            if text and BLOCK.search(text):
                yield pytest.param(text, id=f"{file.stem}.{getattr(node, 'name', '')}")


def examples(text):
    """Give a text's examples with the lines that they stand on."""
    for match in BLOCK.finditer(text):
        code = match[1]
        for pattern, stand_in in WORLD:
            code = re.sub(pattern, stand_in, code, flags=re.DOTALL)
        yield text[: match.start()].count("\n") + 2, code


@pytest.fixture
def world(monkeypatch, tmp_path):
    """Give the CA that stands for all CAs, and what examples do not make themselves."""
    with pylego.testing.ACMEServer(blocked_names=["not-mine.example"]) as server:
        trust = tmp_path / "trust.pem"
        trust.write_text(server.trust_root)
        monkeypatch.setenv("SSL_CERT_FILE", str(trust))
        client = pylego.Client(server.directory, accept_terms=True)
        certificate = client.obtain("given.example", challenges=server.http01())
        yield {
            "__name__": "example",
            "server": server,
            "directory": server.directory,
            "folder": tmp_path / "example",
            "csr": certificate.csr,
            "csr_pem": certificate.csr,
            "account_key": client.account.key,
            "httpreq": {
                **server.dns01().variables,
                "DNS_PROPAGATION_DISABLE_ANS": "1",
                "DNS_PROPAGATION_RNS": "",
            },
        }


def execute(text, name, world):
    """Execute a text's examples, one after the other in one world."""
    loop = asyncio.new_event_loop()
    try:
        for line, code in examples(text):
            source = "\n" * (line - 1) + code  # a traceback then names the text's line
            compiled = compile(source, name, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            outcome = eval(compiled, world)
            if inspect.iscoroutine(outcome):
                loop.run_until_complete(outcome)
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_the_examples_of_a_page_run(page, world):
    execute(page.read_text(), str(page), world)


@pytest.mark.parametrize("text", [*docstrings()])
def test_the_examples_of_a_docstring_run(text, world):
    client = pylego.AsyncClient(world["directory"], accept_terms=True)
    execute(text, "docstring", {**world, "pylego": pylego, "HTTP01": HTTP01, "client": client})


@pytest.mark.parametrize(
    "page", [page for page in PAGES if TEST.search(page.read_text())], ids=named
)
def test_the_tests_of_a_page_pass(page, pytester):
    code = [code for _, code in examples(page.read_text()) if TEST.search(code)]
    pytester.makepyfile("\n".join(code))
    count = len(TEST.findall("\n".join(code)))
    pytester.runpytest_subprocess("-p", "no:xdist").assert_outcomes(passed=count)


def test_a_scope_of_anyio_is_left_when_everything_is_cleaned_up():
    [code] = [code for _, code in examples(ASYNC.read_text()) if "def cleaned_up" in code]
    page = {}
    exec(code, page)

    async def main(server):
        def tell(event):
            if event.kind == "presented":
                scope.cancel()

        client = pylego.AsyncClient(
            server.directory, trust=server.trust_root, accept_terms=True, on_event=tell
        )
        with anyio.CancelScope() as scope:
            await page["cleaned_up"](client.obtain("a.example", challenges=server.dns01()))
        assert scope.cancelled_caught
        assert server.records() == {}

    with pylego.testing.ACMEServer(validation_sleep=600) as server:
        asyncio.run(main(server))
        assert {change.action for change in server.dns_log()} == {"presented", "cleaned_up"}


def test_the_reference_has_everything_public():
    text = (ROOT / "docs" / "reference.md").read_text()
    assert [name for name in pylego.__all__ if f"::: pylego.{name}\n" not in text] == []
