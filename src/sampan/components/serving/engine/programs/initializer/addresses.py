"""Which addresses may be asked: never a machine's own metadata, and private ones only where that is allowed. Pure.

As `sampan.client.addresses`, which a program in a pod does not have (attacks' table, row 8).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

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


@dataclass(frozen=True, slots=True)
class Reach:
    """What may be reached beside the open internet."""

    private_hosts: Sequence[str] | None = None
    """Names, with `*`, and networks; None for all."""

    def allows(self, host: str, address: Address) -> bool:
        if is_reserved(address):
            return False
        if is_public(address) or self.private_hosts is None:
            return True
        return any(_fits(host, address, entry) for entry in self.private_hosts)


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


def _fits(host: str, address: Address, entry: str) -> bool:
    try:
        network = ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return fnmatchcase(host.lower(), entry.lower())
    return address.version == network.version and address in network


def _carried(address: Address) -> ipaddress.IPv4Address | None:
    if not isinstance(address, ipaddress.IPv6Address):
        return None
    if address not in _OWN and any(address in network for network in _CARRYING):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour or (address.teredo or (None, None))[1]
