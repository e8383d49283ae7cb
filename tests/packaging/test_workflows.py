"""What .github/workflows promise; that they are well formed actionlint sees in `make lint`."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))

PYTHONS = re.findall(
    r'"Programming Language :: Python :: (3\.\d+)"', (ROOT / "pyproject.toml").read_text()
)


@pytest.fixture(scope="module")
def release():
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text())["jobs"]


def test_only_a_pushed_tag_publishes_and_only_what_has_passed_every_test(release):
    def before(name):
        needs = release[name].get("needs", [])
        needs = [needs] if isinstance(needs, str) else needs
        return {*needs}.union(*map(before, needs))

    writing = {name for name, job in release.items() if "write" in job["permissions"].values()}
    assert writing == {"attest", "publish", "announce"}
    first = release["attest"]
    assert first["if"] == "github.event_name == 'push'", "by hand a tag can be chosen, too"
    for name in writing - {"attest"}:
        assert "attest" in before(name)
    assert before("attest") == release.keys() - writing


def test_a_release_is_tested_on_the_oldest_and_the_newest_python(release):
    oldest_and_newest = [PYTHONS[0], PYTHONS[-1]]
    assert release["test"]["strategy"]["matrix"]["python"] == oldest_and_newest
    brought = release["emulated"]["steps"][-2]["run"]
    assert f"uv python install {' '.join(oldest_and_newest)}\n" in brought


def test_every_python_is_tried_where_a_machine_has_it():
    tried = re.search(r"for version in (.+); do", (ROOT / "tools/test-pythons").read_text())
    assert tried[1].split() == PYTHONS


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_their_commits(workflow):
    used = re.findall(r"uses: (\S+)(.*)", workflow.read_text())
    assert used
    for action, comment in used:
        assert re.search(r"@[0-9a-f]{40}$", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), action
