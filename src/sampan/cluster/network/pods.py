"""The network of this node's pods, as the agent needs it: an address for each, and the files that name it.

The names of Services come from a `Directory`; without one, as in a test of the node alone, pods know themselves only.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sampan.client.protocol import Object
from sampan.cluster.network import names
from sampan.cluster.network.addresses import LOCALHOST, PodAddresses, slot
from sampan.kube import meta

ROUTES = Path("run/services")
"""Below Sampan's home: a file for each Service."""
HOSTS, HOSTNAME, RESOLV_CONF = "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"


class Directory(Protocol):
    """What pods of a namespace may find."""

    def hosts(self, namespace: str) -> str:
        """Lines of a hosts file."""
        ...

    def links(self, namespace: str, *, all_services: bool) -> dict[str, str]:
        """Variables that tell where Services are; without `all_services` only the API server."""
        ...

    def came(self, pod: Object, address: str) -> None:
        """The pod is about to start, at that address."""
        ...

    def went(self, uid: str) -> None: ...


class _NoDirectory:
    def hosts(self, namespace: str) -> str:
        return ""

    def links(self, namespace: str, *, all_services: bool) -> dict[str, str]:
        return {}

    def came(self, pod: Object, address: str) -> None:
        return None

    def went(self, uid: str) -> None:
        return None


@dataclass(frozen=True, slots=True)
class _Attached:
    namespace: str
    own: str
    path: Path
    searches: tuple[str, ...]


class PodNetwork:
    """For one event loop. Files are small, and written when a container starts or a name changes."""

    def __init__(self, home: Path, api: tuple[str, int] = (LOCALHOST, 8080)) -> None:
        self.api = api
        """Host and port of the API server, as pods reach it."""
        self._addresses = PodAddresses(slot(home))
        self._attached: dict[str, _Attached] = {}
        self.directory: Directory = _NoDirectory()
        self.has_addresses = False
        """Whether pods get addresses of their own; the node sets it when it knows what the kernel allows."""
        self.is_refused = False
        """They were to get some, and the kernel does not allow it."""

    def address(self, pod: Object) -> str:
        """The pod's address, from now on until `release`."""
        if not self.has_addresses or meta.spec(pod).get("hostNetwork"):
            return LOCALHOST
        return self._addresses.acquire(meta.uid(pod), str(meta.status(pod).get("podIP") or ""))

    def release(self, uid: str) -> None:
        self._addresses.release(uid)
        self._attached.pop(uid, None)
        self.directory.went(uid)

    def attach(self, pod: Object, address: str, folder: Path) -> None:
        """From now on the hosts file in `folder`, once it is there, follows the names."""
        own = names.own_lines(pod, address)
        self._attached[meta.uid(pod)] = _Attached(
            meta.namespace(pod), own, folder / "hosts", names.searches(pod)
        )
        self.directory.came(pod, address)

    def files(self, pod: Object, folder: Path) -> dict[str, Path]:
        """Writes the pod's files: where each is to be seen, and where it is. Raises OSError."""
        attached = self._attached.get(meta.uid(pod))
        if attached is None:
            return {}
        folder.mkdir(parents=True, exist_ok=True)
        found = {HOSTS: attached.path, HOSTNAME: folder / "hostname"}
        _overwrite(attached.path, self._hosts(attached))
        _overwrite(found[HOSTNAME], names.hostname(pod) + "\n")
        resolv_conf = names.resolv_conf(pod, _machine_resolv_conf)
        if resolv_conf:
            found[RESOLV_CONF] = folder / "resolv.conf"
            _overwrite(found[RESOLV_CONF], resolv_conf)
        return found

    def links(self, pod: Object) -> dict[str, str]:
        """The variables about Services that the pod's containers get."""
        wants = meta.spec(pod).get("enableServiceLinks") is not False
        return self.directory.links(meta.namespace(pod), all_services=wants)

    def refresh(self) -> None:
        """The names have changed."""
        for attached in self._attached.values():
            # A pod that has not started anything has no file yet; another may be gone, or the disk full.
            with contextlib.suppress(OSError):
                _overwrite(attached.path, self._hosts(attached), create=False)

    def _hosts(self, attached: _Attached) -> str:
        found = self.directory.hosts(attached.namespace)
        more = names.searched_lines(found, attached.searches) if attached.searches else ""
        return attached.own + found + more


def _machine_resolv_conf() -> str:
    try:
        return Path(RESOLV_CONF).read_text()
    except OSError:
        return ""


def _overwrite(path: Path, text: str, *, create: bool = True) -> None:
    """In place, as containers see this very file; one write and then the end, so that no reader finds it empty."""
    data = text.encode()
    flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0)
    descriptor = os.open(path, flags, 0o644)
    try:
        size = os.fstat(descriptor).st_size
        if size == len(data) and os.pread(descriptor, size, 0) == data:
            return
        os.pwrite(descriptor, data.ljust(size, b"\n"), 0)
        os.ftruncate(descriptor, len(data))
    finally:
        os.close(descriptor)
