"""Names that nobody but a super admin may add: they cannot belong to a customer of this server."""

from collections.abc import Iterable
from functools import cache

from publicsuffixlist import PublicSuffixList

# Large mail providers: with one of these as a "local" domain, everybody's mail to it would stay on this server.
_PROVIDERS = frozenset(
    {
        "aol.com",
        "fastmail.com",
        "free.fr",
        "gmail.com",
        "gmx.com",
        "gmx.de",
        "gmx.net",
        "googlemail.com",
        "hotmail.com",
        "icloud.com",
        "laposte.net",
        "libero.it",
        "live.com",
        "mail.com",
        "mail.ru",
        "me.com",
        "msn.com",
        "orange.fr",
        "outlook.com",
        "proton.me",
        "protonmail.com",
        "qq.com",
        "seznam.cz",
        "t-online.de",
        "wanadoo.fr",
        "web.de",
        "yahoo.com",
        "yandex.com",
        "yandex.ru",
        "zoho.com",
    }
)


@cache
def _suffixes() -> PublicSuffixList:
    # The names in the list are compared as A-labels, as ours are stored.
    return PublicSuffixList(accept_unknown=False, only_icann=False)


def is_reserved(name: str, own_names: Iterable[str] = ()) -> bool:
    """True for a public suffix, a name of this server or its parent, a large provider or anything below one."""
    labels = name.split(".")
    parents = {".".join(labels[start:]) for start in range(len(labels))}
    if parents & _PROVIDERS or name in own_names:
        return True
    if any(own.endswith(f".{name}") for own in own_names):
        return True
    return _suffixes().publicsuffix(name) == name
