"""Whether limits hold, and what new administrators and domains begin with: parameters of this app."""

from limits.kinds import Kind
from parameters.tools import get_global_parameter


def admins_are_limited() -> bool:
    """Whether administrators keep to their limits."""
    return bool(get_global_parameter("enable_admin_limits", "limits"))


def domains_are_limited() -> bool:
    """Whether domains keep to their limits."""
    return bool(get_global_parameter("enable_domain_limits", "limits"))


def default_of_admins(kind: Kind) -> int:
    """What a super administrator gives to a new administrator: no limit as long as there are none."""
    if not admins_are_limited():
        return kind.unlimited
    return int(get_global_parameter(f"deflt_user_{kind}_limit", "limits"))


def default_of_domains(kind: Kind) -> int:
    """What a new domain begins with: no limit as long as there are none."""
    if not domains_are_limited():
        return kind.unlimited
    return int(get_global_parameter(f"deflt_domain_{kind}_limit", "limits"))
