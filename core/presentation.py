"""Values as people read them: sizes in the units of mail servers, domain names in their own script."""

import idna
from django.utils.formats import number_format
from django.utils.translation import gettext

KIB = 1024
MIB = KIB * KIB
WHOLE_FROM = 100  # "171 GB": the decimal says nothing any more
UNITS = ("B", "KB", "MB", "GB", "TB", "PB")


def scaled(size: int) -> tuple[str, str]:
    """Number and unit, both localized: ``scaled(41_017_933_824) == ("38.2", "GB")``.

    Powers of 1024, which is what Dovecot means by ``M`` and ``G`` in a quota rule.
    """
    amount, step = float(size), 0
    while round(abs(amount), 1) >= KIB and step < len(UNITS) - 1:
        amount /= KIB
        step += 1
    decimals = 0 if step == 0 or amount >= WHOLE_FROM or round(amount, 1).is_integer() else 1
    text = number_format(
        round(amount, decimals), decimal_pos=decimals
    )  # number_format cuts off, it does not round
    return text, _unit(UNITS[step])


def _unit(symbol: str) -> str:
    names = {
        "B": gettext("B"),
        "KB": gettext("KB"),
        "MB": gettext("MB"),
        "GB": gettext("GB"),
        "TB": gettext("TB"),
        "PB": gettext("PB"),
    }
    return names[symbol]


def size_text(size: int) -> str:
    """``38.2 GB``."""
    number, unit = scaled(size)
    return gettext("%(number)s %(unit)s") % {"number": number, "unit": unit}


def usage_text(used: int, limit: int) -> str:
    """``38.2 of 60 GB``, ``512 MB of 1 GB``, ``1.1 GB, no limit`` (a limit of 0 is none); all in bytes."""
    if limit <= 0:
        return (
            gettext("%(size)s, no limit") % {"size": size_text(used)} if used else gettext("Empty, no limit")
        )
    used_number, used_unit = scaled(used)
    limit_number, limit_unit = scaled(limit)
    if used_unit == limit_unit or used == 0:
        values = {"used": used_number, "limit": limit_number, "unit": limit_unit}
        return gettext("%(used)s of %(limit)s %(unit)s") % values
    return gettext("%(used)s of %(limit)s") % {"used": size_text(used), "limit": size_text(limit)}


def unicode_domain(name: str) -> str:
    """U-label form of a domain, or of the domain of an address; unchanged where it is not valid IDNA."""
    local, at, domain = name.rpartition("@")
    if "xn--" not in domain.lower():
        return name
    try:
        return local + at + idna.decode(domain)
    except idna.IDNAError:
        return name


def host_and_port(host: str, port: int) -> str:
    """``mx.example.org:25``, ``[2001:db8::1]:25``."""
    return f"[{host}]:{port}" if ":" in host else f"{unicode_domain(host)}:{port}"
