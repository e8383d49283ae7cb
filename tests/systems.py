"""Which tests need what a system lacks: the one place that says so.

The others run there on the installed wheel (.github/workflows/release.yml). A list has
whole files, as patterns below tests/: what a file needs is seldom needed by one test alone.
"""

import sys
import sysconfig

LINUX = (
    # lego.so in the process, and what /proc tells of it
    "bridge/test_*.py",
    "cli/test_command_line.py",
    "cli/test_lego.py",
    "cli/test_manager.py",
    "dropin/test_c_program.py",
    "e2e/test_cancellation.py",
    "e2e/test_errors.py",
    "e2e/test_many.py",
    "e2e/test_pytest_plugin.py",
    "faults/test_memory.py",
    "renewal/test_hooks.py",
    # mounts and networks of one's own
    "e2e/test_catalogue.py",
    "e2e/test_constructors.py",
    "renewal/test_hosts.py",
    "storage/test_disk.py",
    # Debian's servers, systemd, and this repository's build
    "dns/test_*.py",
    "docs/test_deploy.py",
    "packaging/test_hatch_build.py",
    "packaging/test_sdist.py",
    "packaging/test_systems.py",
    "packaging/test_wheel.py",
    # hours of it
    "soak/test_*.py",
)

POSIX = (
    # terminals, and signals that a program can catch
    "cli/test_accounts.py",
    "cli/test_doctor.py",
    "cli/test_frame.py",
    "cli/test_obtain.py",
    "cli/test_page.py",
    "cli/test_renew.py",
    "cli/test_terminal.py",
    "cli/test_testca.py",
    "e2e/test_lego_commands.py",
    "e2e/test_providers.py",
    "e2e/test_solvers.py",
    "renewal/test_deploying.py",
    "renewal/test_processes.py",
    "renewal/test_running.py",
    # forks, and servers that are made of them
    "frameworks/test_asyncio.py",
    "frameworks/test_celery.py",
    "frameworks/test_eventlet.py",
    "frameworks/test_gevent.py",
    "frameworks/test_gunicorn.py",
    "storage/test_crashes.py",
    "storage/test_locks.py",
    # modes of files, links, a shell
    "cli/test_lego_and_migrate.py",
    "docs/test_provider_pages.py",
    "e2e/test_certificates.py",
    "storage/test_beside_lego.py",
    "storage/test_file_store.py",
    "storage/test_imports.py",
    "storage/test_places.py",
    "storage/test_stamps.py",
    "unit/test_providers.py",
)

LACKED = {"musl": LINUX, "darwin": LINUX, "win32": LINUX + POSIX}
"""What is not collected on a system."""


def this_system():
    """Name the one that these tests run on; with musl there is no lego.so."""
    musl = "musl" in str(sysconfig.get_config_var("HOST_GNU_TYPE"))
    return "musl" if musl else sys.platform


collect_ignore_glob = list(LACKED.get(this_system(), ()))
