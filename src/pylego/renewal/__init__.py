"""What keeps certificates valid without anyone watching."""

from pylego.renewal._configuration import load
from pylego.renewal._decision import Policy
from pylego.renewal._hooks import About, Files
from pylego.renewal._managed import AccountAt, Configuration, Hook, Hooks, Managed, Server
from pylego.renewal._manager import Manager
from pylego.renewal._metrics import Metrics
from pylego.renewal._outcome import Outcome, Report
from pylego.renewal._toml import ConfigurationError

__all__ = [
    "About",
    "AccountAt",
    "Configuration",
    "ConfigurationError",
    "Files",
    "Hook",
    "Hooks",
    "Managed",
    "Manager",
    "Metrics",
    "Outcome",
    "Policy",
    "Report",
    "Server",
    "load",
]
