"""Which pods and Services belong to a job: those it controls, and orphans with its labels, which it adopts.

One of ours that bears its labels no longer is let go. Lookups go through indexes: a job never looks at another's pods.

Source: kubeflow/training-operator v1.9.0 pkg/controller.v1/control/controller_ref_manager.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sampan.client.protocol import Client
from sampan.components.training.api import labels
from sampan.kube import meta, owners
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object
from sampan.reconcile.adoption import Adoption
from sampan.reconcile.cache import Cache
from sampan.reconcile.reconciler import Request

_OWNER = "training owner"


class Children:
    """Of one kind, for jobs of any kind."""

    def __init__(self, client: Client, cache: Cache) -> None:
        self._adoption = Adoption(client, cache)
        self._cache = cache
        cache.add_index(_OWNER, _keys)

    async def of(self, job: Object, kind: Resource, wanted: dict[str, str]) -> list[Object]:
        """What belongs to the job after adopting and letting go. `wanted` are the labels by which it selects."""
        mine: list[Object] = []
        for obj in self._cache.by_index(_OWNER, meta.uid(job)):
            if _matches(obj, wanted):
                mine.append(obj)
            elif not meta.is_deleting(obj):
                await self._adoption.release(job, obj)
        strays = [each for each in self._strays(job, wanted) if not meta.is_deleting(each)]
        if strays and await self._adoption.may_adopt(kind, job):
            adopted = [await self._adoption.adopt(job, obj) for obj in strays]
            mine += [each for each in adopted if each is not None]
        return mine

    def known(self, job: Object) -> Sequence[Object]:
        """What the job controls, as the cache has it now."""
        return self._cache.by_index(_OWNER, meta.uid(job))

    def requests(self, kind: Resource, operator: str) -> _Requests:
        """Whom a child concerns among jobs of `kind`, whose children bear the operator's name."""
        return _Requests(kind, operator)

    def _strays(self, job: Object, wanted: dict[str, str]) -> Sequence[Object]:
        key = _stray_key(meta.namespace(job), wanted[labels.OPERATOR_NAME], wanted[labels.JOB_NAME])
        return self._cache.by_index(_OWNER, key)


class _Requests:
    """A function from a child to the jobs that it concerns."""

    def __init__(self, kind: Resource, operator: str) -> None:
        self._kind = kind
        self._operator = operator

    def __call__(self, obj: Object) -> Iterable[Request]:
        reference, found = owners.controller_of(obj), meta.labels(obj)
        if reference is None:
            if found.get(labels.OPERATOR_NAME) == self._operator:
                yield Request(meta.namespace(obj), str(found.get(labels.JOB_NAME)))
        elif reference.get("kind") == self._kind.kind:
            group = str(reference.get("apiVersion", "")).rpartition("/")[0]
            if group == self._kind.group:
                yield Request(meta.namespace(obj), str(reference.get("name", "")))


def _matches(obj: Object, wanted: dict[str, str]) -> bool:
    found = meta.labels(obj)
    return all(found.get(key) == value for key, value in wanted.items())


def _keys(obj: Object) -> Iterable[str]:
    reference = owners.controller_of(obj)
    if reference is not None:
        return (str(reference.get("uid")),)
    found = meta.labels(obj)
    operator, name = found.get(labels.OPERATOR_NAME), found.get(labels.JOB_NAME)
    return (_stray_key(meta.namespace(obj), operator, name),) if operator and name else ()


def _stray_key(namespace: str, operator: str, name: str) -> str:
    return f"{namespace}/{operator}/{name}"
