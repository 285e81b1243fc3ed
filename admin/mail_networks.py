"""The networks of this installation's mail servers, as a parameter lists them."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network

IPNetwork = IPv4Network | IPv6Network


class NotANetwork(ValueError):  # noqa: N818  says what the word is
    """*word* is neither an address nor a network; *meant* is the network around it, when it has one."""

    def __init__(self, word: str, meant: IPNetwork | None) -> None:
        super().__init__(word)
        self.word = word
        self.meant = meant


def networks(text: str) -> tuple[IPNetwork, ...]:
    """Addresses and networks of both families, separated by blanks or line ends. Raises :class:`NotANetwork`."""
    return tuple(dict.fromkeys(_network(word) for word in text.split()))


def written(network: IPNetwork) -> str:
    """As people write it: a single host without its mask."""
    return str(network.network_address if network.num_addresses == 1 else network)


def _network(word: str) -> IPNetwork:
    if "%" in word:
        raise NotANetwork(word, None)  # the link of this machine: no MX host can be reached over it
    try:
        return ip_network(word)
    except ValueError:
        raise NotANetwork(word, _around(word)) from None


def _around(word: str) -> IPNetwork | None:
    try:
        return ip_network(word, strict=False)
    except ValueError:
        return None
