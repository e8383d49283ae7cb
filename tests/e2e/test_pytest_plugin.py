"""The fixtures `acme_server` and `acme_client` in a project that has only installed pylego."""

import subprocess
import sys

pytest_plugins = ("pytester",)


def test_a_project_tests_its_acme_code_in_one_line(pytester):
    pytester.makepyfile(
        """
        def test_a_certificate(acme_server, acme_client):
            assert acme_client.obtain("a.example", challenges=acme_server.http01())
            assert acme_server.requests()["newOrder"] == 1

        def test_another_test_has_a_server_of_its_own(acme_server):
            assert acme_server.requests() == {}
        """
    )
    pytester.runpytest_subprocess("-p", "no:xdist").assert_outcomes(passed=2)


def test_a_marker_has_the_servers_settings_and_the_nearest_wins(pytester):
    pytester.makepyfile(
        """
        import pytest

        import pylego

        pytestmark = pytest.mark.acme_server(blocked_names=["mine.example"], chain_length=2)

        def obtain(client, server):
            return client.obtain("mine.example", challenges=server.http01())

        def test_of_the_module(acme_server, acme_client):
            with pytest.raises(pylego.RejectedIdentifier):
                obtain(acme_client, acme_server)

        @pytest.mark.acme_server(blocked_names=[], nonce_reject=30)
        def test_of_the_test(acme_server, acme_client):
            assert obtain(acme_client, acme_server).fullchain.count("BEGIN CERTIFICATE") == 3
        """
    )
    pytester.runpytest_subprocess("-p", "no:xdist", "--strict-markers").assert_outcomes(passed=2)


def test_a_setting_that_there_is_not_is_named(pytester):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.acme_server(nonce_rejects=30)
        def test_with_a_typo(acme_server):
            pass
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:xdist")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*nonce_rejects*"])


def test_a_project_that_asks_for_no_fixture_loads_no_engine(pytester):
    pytester.makepyfile(
        """
        from pathlib import Path

        def test_nothing_is_loaded():
            assert "lego.so" not in Path("/proc/self/maps").read_text()
        """
    )
    pytester.runpytest_subprocess("-p", "no:xdist").assert_outcomes(passed=1)


def test_the_marker_is_told_by_pytest_markers(pytester):
    pytester.runpytest_subprocess("--markers").stdout.fnmatch_lines(
        ["@pytest.mark.acme_server(*settings)*ACMEServer*"]
    )


def test_importing_the_plugin_imports_nothing_heavy():
    source = """
        import sys, pytest
        before = set(sys.modules)
        import pylego.testing.pytest_plugin
        print(*sorted(set(sys.modules) - before))
    """
    source = "\n".join(line.strip() for line in source.splitlines())
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True, timeout=60
    )
    others = [name for name in done.stdout.split() if not name.startswith("pylego")]
    assert not {"asyncio", "ctypes", "ssl", "subprocess"} & set(others)
