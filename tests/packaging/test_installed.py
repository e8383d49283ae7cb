"""What the tests run on."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_these_tests_run_on_the_installed_wheel():
    import pylego

    assert ROOT / "src" not in Path(pylego.__file__).parents
