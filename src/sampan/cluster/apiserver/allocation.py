"""What Services are given when they are written: an address of their own, ports of the node.

Called by `verbs` in the writer thread, within the transaction of the write.
Source: pkg/registry/core/service/storage/alloc.go, v1.31, for the order and the messages.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from sampan.cluster.apiserver.kinds.services import has_cluster_ip, has_node_ports
from sampan.cluster.apiserver.storage import Key, Transaction
from sampan.cluster.network.addresses import SERVICE_NETWORK, first_free, is_in
from sampan.kube import meta
from sampan.kube.errors import InternalError, invalid
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import SERVICES
from sampan.kube.meta import Object

NODE_PORTS = range(30000, 32768)
_ALL = 1 << 62


class ServiceAllocator:
    """Remembers who has what. A note that is out of date is found out by looking at the Service it names."""

    def __init__(self) -> None:
        self._next = 0
        self._owners: dict[str, Key] | None = None

    def begin_at(self, offset: int) -> None:
        """Where in the Services' network the search for a free address begins. Before the server starts."""
        self._next = offset

    def __call__(self, txn: Transaction, service: Object) -> None:
        """Fills in what is missing. Raises InvalidError for what is asked for and cannot be had."""
        key = Key(SERVICES.key, meta.namespace(service), meta.name(service))
        owners = self._known(txn)
        errors = FieldErrors()
        if has_cluster_ip(service):
            self._address(txn, key, service, errors)
        if has_node_ports(service):
            for at, port in enumerate(meta.spec(service).get("ports") or ()):
                self._node_port(txn, key, port, f"spec.ports[{at}].nodePort", errors)
        if errors:
            raise invalid("", SERVICES.kind, key.name, errors.causes)
        for each in _held(service):
            owners[each] = key

    def _known(self, txn: Transaction) -> dict[str, Key]:
        if self._owners is None:
            stored = txn.unchanged_since(SERVICES.key, _ALL, _ALL)
            self._owners = {held: key for key, record in stored for held in _stored(record.object())}
        return self._owners

    def _is_taken(self, txn: Transaction, what: str, key: Key) -> bool:
        owner = self._known(txn).get(what)
        if owner is None or owner == key:
            return False
        record = txn.get(owner)
        if record is not None and what in _stored(record.object()):
            return True
        del self._known(txn)[what]
        return False

    def _address(self, txn: Transaction, key: Key, service: Object, errors: FieldErrors) -> None:
        spec = service["spec"]
        wanted = str(spec.get("clusterIP") or "")
        if wanted == "None":
            return
        if not wanted:
            free = first_free(SERVICE_NETWORK, self._next, lambda each: self._is_taken(txn, each, key))
            if free is None:
                raise InternalError("failed to allocate a serviceIP: range is full")
            spec["clusterIP"], self._next = free
            spec["clusterIPs"] = [spec["clusterIP"]]
            return
        if not is_in(SERVICE_NETWORK, wanted):
            errors.invalid(
                "spec.clusterIPs",
                [wanted],
                f"failed to allocate IP {wanted}: the provided IP ({wanted}) is not in the valid range. "
                f"The range of valid IPs is {SERVICE_NETWORK}",
            )
        elif self._is_taken(txn, wanted, key):
            errors.invalid(
                "spec.clusterIPs",
                [wanted],
                f"failed to allocate IP {wanted}: provided IP is already allocated",
            )

    def _node_port(
        self, txn: Transaction, key: Key, port: dict[str, object], field: str, errors: FieldErrors
    ) -> None:
        wanted = port.get("nodePort")
        protocol = str(port.get("protocol"))
        if not wanted:
            free = list(NODE_PORTS)
            random.shuffle(free)
            for number in free:
                if not self._is_taken(txn, _note(number, protocol), key):
                    port["nodePort"] = number
                    # At once: the next port of this very Service must not get it too.
                    self._known(txn)[_note(number, protocol)] = key
                    return
            raise InternalError("failed to allocate a nodePort: range is full")
        if wanted not in NODE_PORTS:
            errors.invalid(
                field,
                wanted,
                "provided port is not in the valid range. The range of valid ports is "
                f"{NODE_PORTS.start}-{NODE_PORTS.stop - 1}",
            )
        elif self._is_taken(txn, _note(int(str(wanted)), protocol), key):
            errors.invalid(field, wanted, "provided port is already allocated")


def _stored(service: Object) -> set[str]:
    """What a Service holds that may be older than today's validation: nonsense holds nothing."""
    try:
        return set(_held(service))
    except (TypeError, ValueError, AttributeError, LookupError):
        return set()


def _held(service: Object) -> Iterator[str]:
    spec = meta.spec(service)
    if spec.get("clusterIP") not in (None, "", "None"):
        yield str(spec["clusterIP"])
    for port in spec.get("ports") or ():
        if port.get("nodePort"):
            yield _note(int(port["nodePort"]), str(port.get("protocol")))


def _note(number: int, protocol: str) -> str:
    return f"{number}/{protocol}"
