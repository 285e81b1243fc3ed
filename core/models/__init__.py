"""Tables of the core: accounts and the event log."""

from core.models.log import Log
from core.models.user import User

__all__ = ["Log", "User"]
