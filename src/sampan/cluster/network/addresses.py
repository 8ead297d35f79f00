"""Addresses on the loopback: which belong to pods and Services, and the next one that is free. Pure.

Two servers on one machine share 127/8, so each begins somewhere else, by its home folder.
"""

from __future__ import annotations

import hashlib
import ipaddress
import socket
from collections.abc import Callable
from pathlib import Path

LOCALHOST = "127.0.0.1"
POD_NETWORK = ipaddress.IPv4Network("127.64.0.0/11")
SERVICE_NETWORK = ipaddress.IPv4Network("127.96.0.0/11")
"""The launcher knows the two blocks by their second bytes: `node.runtimes.launcher.sockets`."""
_SLOT = 4096


_PRIVILEGED = 1024


def lowest_port() -> int:
    """The first port that this process may take."""
    with socket.socket() as probe:
        try:
            probe.bind((LOCALHOST, 1))
        except PermissionError:
            try:
                start = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()
            except OSError:
                return _PRIVILEGED
            return min(int(start), _PRIVILEGED)
        except OSError:
            return 0
    return 0


def real_port(address: str, port: int, lowest: int) -> int:
    """Where a pod's port really is: one that only root may take is moved up, out of reach of other programs."""
    moved = 0 < port < lowest and is_in(POD_NETWORK, address)
    return port + 65536 - _PRIVILEGED if moved else port


def slot(home: Path) -> int:
    """Where in a block the addresses of the server of `home` begin."""
    digest = hashlib.sha256(str(home).encode()).digest()
    return int.from_bytes(digest[:4], "big") % (POD_NETWORK.num_addresses // _SLOT) * _SLOT


def address(network: ipaddress.IPv4Network, offset: int) -> str:
    return str(network[offset % network.num_addresses])


def is_usable(offset: int) -> bool:
    """First and last bytes of 0 and 255 look like networks to some programs."""
    return offset & 0xFF not in (0, 0xFF)


def first_free(
    network: ipaddress.IPv4Network, start: int, is_taken: Callable[[str], bool]
) -> tuple[str, int] | None:
    """The first free address from the offset `start` on, and where to go on; None when all are taken."""
    for step in range(network.num_addresses):
        offset = (start + step) % network.num_addresses
        if is_usable(offset) and not is_taken(found := address(network, offset)):
            return found, offset + 1
    return None


def is_in(network: ipaddress.IPv4Network, text: str) -> bool:
    try:
        return ipaddress.IPv4Address(text) in network
    except ValueError:
        return False


class PodAddresses:
    """Those of one node's pods. An address that is given back is used again late, as clients may still know it."""

    def __init__(self, start: int) -> None:
        self._next = start
        self._by_uid: dict[str, str] = {}
        self._taken: set[str] = set()

    def acquire(self, uid: str, remembered: str = "") -> str:
        """The pod's address; the one it had, where that is still free. Raises RuntimeError when none is."""
        if uid in self._by_uid:
            return self._by_uid[uid]
        found = remembered
        if not is_in(POD_NETWORK, remembered) or remembered in self._taken:
            free = first_free(POD_NETWORK, self._next, self._taken.__contains__)
            if free is None:
                raise RuntimeError("every address for pods is taken")
            found, self._next = free
        self._by_uid[uid] = found
        self._taken.add(found)
        return found

    def release(self, uid: str) -> None:
        found = self._by_uid.pop(uid, None)
        if found is not None:
            self._taken.discard(found)
