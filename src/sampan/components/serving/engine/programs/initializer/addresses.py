"""Which addresses may be asked: never a machine's own metadata, and private ones only where that is allowed. Pure.

As `sampan.client.addresses`, which a program in a pod does not have (attacks' table, row 8).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Metadata of cloud machines at addresses that are not link-local.
_METADATA = (
    ipaddress.ip_network("fd00:ec2::254/128"),
    ipaddress.ip_network("100.100.100.200/32"),
    ipaddress.ip_network("168.63.129.16/32"),
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
    return is_public(inner) if inner is not None else address.is_global and not address.is_multicast


def is_reserved(address: Address) -> bool:
    """Whether nothing is ever asked there: a machine's own metadata, many machines, or none."""
    inner = _carried(address)
    if inner is not None:
        return is_reserved(inner)
    if any(address.version == network.version and address in network for network in _METADATA):
        return True
    return address.is_link_local or address.is_multicast or address.is_unspecified


def _fits(host: str, address: Address, entry: str) -> bool:
    try:
        network = ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return fnmatchcase(host.lower(), entry.lower())
    return address.version == network.version and address in network


def _carried(address: Address) -> ipaddress.IPv4Address | None:
    if not isinstance(address, ipaddress.IPv6Address):
        return None
    inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
    if inner is None and address in _NAT64:
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return inner
