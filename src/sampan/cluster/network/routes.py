"""Where each Service leads: the files that launchers read at every connection to one. Written by `directory`.

A file has the Service's address as its name and holds

    {"ports": {"TCP/80": ["127.64.0.3:8080", …]}, "sticky": 10800}

`sticky` are the seconds for which a client stays with its endpoint, 0 for none. A file is replaced at once, so that a
reader finds the old or the new one; what is not there is refused.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sampan.client.protocol import Object
from sampan.kube import meta

Ports = Mapping[str, Sequence[str]]
"""`TCP/80` to the endpoints, `127.64.0.3:8080`."""


def ports(service: Object, slices: Iterable[Object]) -> dict[str, list[str]]:
    """Each port of the Service with the endpoints that take its connections now.

    Those that are ready; where none is, those that still serve while they end. Source: pkg/proxy/topology.go, v1.31.
    """
    slices = [each for each in slices if each.get("addressType") == "IPv4"]
    found: dict[str, list[str]] = {}
    for port in meta.spec(service).get("ports") or ():
        ready: dict[str, None] = {}
        serving: dict[str, None] = {}
        for slice_ in slices:
            number = _number(slice_, port)
            if not number:
                continue
            for endpoint in slice_.get("endpoints") or ():
                targets = [f"{address}:{number}" for address in endpoint.get("addresses") or ()]
                if is_ready(endpoint):
                    ready.update(dict.fromkeys(targets))
                elif (endpoint.get("conditions") or {}).get("serving"):
                    serving.update(dict.fromkeys(targets))
        found[f"{port.get('protocol') or 'TCP'}/{port['port']}"] = list(ready or serving)
    return found


def is_ready(endpoint: Mapping[str, Any]) -> bool:
    return (endpoint.get("conditions") or {}).get("ready") is not False


def _number(slice_: Object, port: Mapping[str, Any]) -> int | None:
    for each in slice_.get("ports") or ():
        same = (each.get("name") or "") == (port.get("name") or "")
        if same and (each.get("protocol") or "TCP") == (port.get("protocol") or "TCP"):
            number = each.get("port")
            return int(number) if number is not None else None
    return None


def sticky_seconds(service: Object) -> int:
    if meta.spec(service).get("sessionAffinity") != "ClientIP":
        return 0
    return int(meta.lookup(service, "spec.sessionAffinityConfig.clientIP.timeoutSeconds") or 0)


class RouteFiles:
    """The folder of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written: dict[str, bytes] = {}

    def begin(self) -> None:
        """Takes note of what an earlier server left. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._written = {path.name: path.read_bytes() for path in self._folder.iterdir() if path.is_file()}

    def write(self, address: str, route: Ports, sticky: int) -> None:
        """Raises OSError."""
        data = json.dumps({"ports": route, "sticky": sticky}).encode()
        if self._written.get(address) == data:
            return
        path = self._folder / address
        # A name that no address has.
        temporary = self._folder / f"{address}.new"
        temporary.write_bytes(data)
        os.replace(temporary, path)
        self._written[address] = data

    def remove(self, address: str) -> None:
        if self._written.pop(address, None) is not None:
            with contextlib.suppress(OSError):
                (self._folder / address).unlink()

    def keep_only(self, addresses: Iterable[str]) -> None:
        for address in self._written.keys() - set(addresses):
            self.remove(address)
