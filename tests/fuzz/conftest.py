"""How many bad inputs: some with a fixed seed, or many with `--hypothesis-profile=soak`."""

from hypothesis import HealthCheck, settings

# What hangs is ended by pytest-timeout; how long one input takes is the machine's affair.
unhurried = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("quick", max_examples=100, derandomize=True, database=None, **unhurried)
settings.register_profile("soak", max_examples=10_000, **unhurried)


def pytest_configure(config):
    if not config.getoption("--hypothesis-profile"):
        settings.load_profile("quick")
