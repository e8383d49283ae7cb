"""How many bad inputs: some with a fixed seed, or many with `--hypothesis-profile=soak`."""

from hypothesis import HealthCheck, settings

# What hangs is ended by pytest-timeout; how long one input takes is the machine's affair.
settings.register_profile("quick", max_examples=100, derandomize=True, database=None, deadline=None)
settings.register_profile(
    "soak", max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def pytest_configure(config):
    if not config.getoption("--hypothesis-profile"):
        settings.load_profile("quick")
