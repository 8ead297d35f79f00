"""Where requests may go that a user's URL asks for: the one guard against reaching what the user could not. Pure.

Whoever sends such a request resolves the name once, asks here about every address, and connects to the very address
that was asked about (attacks' table, row 8): `outgoing` for notifications, `guarded` for packages and imports,
`webhooks` for the API server.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import SplitResult, urlsplit

_CARRYING = tuple(
    map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "::/96", "::ffff:0:0:0/96", "::ffff:0:0/96"))
)
"""Whose last four bytes are an address of the old kind, for whoever translates (RFC 6052, 8215, 4291, 7915)."""
_OWN = tuple(map(ipaddress.ip_address, ("::", "::1")))
# Metadata of cloud machines at addresses that are not link-local: of Amazon, Google, Alibaba, Azure and Oracle.
_METADATA = tuple(
    map(
        ipaddress.ip_address,
        ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"),
    )
)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def checked_url(url: str) -> SplitResult:
    """The parts of an http or https URL. Raises ValueError, whose words follow the name of a field."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"is not a URL: {error}") from error
    if parts.scheme not in ("http", "https"):
        raise ValueError("must be an http or https URL")
    if not parts.hostname or parts.username is not None or port == 0:
        raise ValueError("needs a host, and no user or password")
    if not url.isascii() or any(character <= " " for character in url):
        raise ValueError("holds characters that must be percent-encoded")
    return parts


def is_public(address: Address) -> bool:
    """Whether an address is one of the open internet, looking through those that carry another inside."""
    inner = _carried(address)
    if inner is not None:
        return is_public(inner)
    return address.is_global and not address.is_multicast and address not in _METADATA


def is_reserved(address: Address) -> bool:
    """Whether nothing is ever asked there: a machine's own metadata, many machines, or none."""
    inner = _carried(address)
    if inner is not None:
        return is_reserved(inner)
    return address in _METADATA or address.is_link_local or address.is_multicast or address.is_unspecified


def _carried(address: Address) -> ipaddress.IPv4Address | None:
    if not isinstance(address, ipaddress.IPv6Address):
        return None
    if address not in _OWN and any(address in network for network in _CARRYING):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour or (address.teredo or (None, None))[1]
