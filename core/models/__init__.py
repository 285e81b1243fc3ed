"""Tables of the core: accounts, their tokens, the event log, and what was tried too often."""

from core.models.log import Log
from core.models.stored_answer import StoredAnswer
from core.models.throttle import Throttle
from core.models.token import ApiToken, Scope
from core.models.user import User

__all__ = ["ApiToken", "Log", "Scope", "StoredAnswer", "Throttle", "User"]
