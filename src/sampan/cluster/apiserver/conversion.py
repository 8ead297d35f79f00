"""Objects between their stored form and the version that a request speaks. What is stored is one version a kind.

Called by `verbs` and `watching`. A kind without a `Conversion` passes through untouched: its stored bytes are what is
served. Source: k8s.io/apiserver/pkg/registry/generic/registry, apiextensions-apiserver/pkg/apiserver/conversion, v1.31.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from sampan.cluster.apiserver.storage import Key, Record, Transaction, decode, encode
from sampan.cluster.apiserver.strategy import Strategy
from sampan.kube.errors import MethodNotAllowedError
from sampan.kube.meta import Object


def read(strategy: Strategy, record: Record) -> Object:
    """The caller's own copy, in the request's version."""
    obj = record.object()
    return obj if strategy.conversion is None else strategy.conversion.read(obj)


def served(strategy: Strategy, record: Record) -> Record:
    if strategy.conversion is None:
        return record
    return replace(record, data=encode(strategy.conversion.read(record.object())))


def served_data(strategy: Strategy, data: bytes) -> bytes:
    return data if strategy.conversion is None else encode(strategy.conversion.read(decode(data)))


async def served_all(strategy: Strategy, items: Sequence[bytes]) -> list[bytes]:
    """As `served_data`, all at once where others convert. Raises InternalError."""
    conversion = strategy.conversion
    if conversion is None or conversion.remote is None:
        return [served_data(strategy, data) for data in items]
    found = await conversion.remote.convert([decode(data) for data in items], conversion.version)
    return [encode(conversion.shape(obj)) for obj in found]


def predicate(strategy: Strategy, matches: Callable[[Object], bool]) -> Callable[[Object], bool]:
    """Of stored objects, given one of objects in the request's version."""
    conversion = strategy.conversion
    if conversion is None:
        return matches
    # A copy: changes are shared by their watchers.
    return lambda obj: matches(conversion.read(decode(encode(obj))))


def put(txn: Transaction, strategy: Strategy, key: Key, obj: Object, previous: Record | None) -> Record:
    if strategy.conversion is None:
        return txn.put(key, obj, previous)
    return served(strategy, txn.put(key, strategy.conversion.write(obj), previous))


def delete(txn: Transaction, strategy: Strategy, key: Key, obj: Object, previous: Record) -> Record:
    if strategy.conversion is None:
        return txn.delete(key, obj, previous)
    return served(strategy, txn.delete(key, strategy.conversion.write(obj), previous))


def check_open(strategy: Strategy) -> None:
    """Raises MethodNotAllowedError when the kind itself is going."""
    if strategy.terminating:
        raise MethodNotAllowedError("create not allowed while custom resource definition is terminating")
