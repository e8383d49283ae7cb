"""What run_lego_command is recorded in: arguments, and what the server does about them.

Each behaviour is a function that yields arguments while its server runs.
"""

from tests.dropin import with_bad_input, with_listeners_and_dns, with_pebble, with_refusals

BEHAVIOURS = (
    *with_pebble.BEHAVIOURS,
    *with_refusals.BEHAVIOURS,
    *with_bad_input.BEHAVIOURS,
    *with_listeners_and_dns.BEHAVIOURS,
)
