"""Dynamic admission as the verbs know it: whether anything is to be asked about a write, and the asking.

Made by `server`; for one event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sampan.client.calls import NoPoster, Poster
from sampan.cluster.apiserver.access import identity
from sampan.cluster.apiserver.access.authorizer import Authorizer
from sampan.cluster.apiserver.admission.dynamic.asking import authorizer_of
from sampan.cluster.apiserver.admission.dynamic.calling import Caller, own
from sampan.cluster.apiserver.admission.dynamic.index import Concerned, Index
from sampan.cluster.apiserver.admission.dynamic.policies import Params, Runner
from sampan.cluster.apiserver.admission.dynamic.subject import Objects, Subject
from sampan.cluster.apiserver.storage import Key, Storage
from sampan.cluster.apiserver.strategy import Strategies
from sampan.kube.kinds import NAMESPACES, PODS, KindRegistry, Resource
from sampan.kube.meta import Object


class DynamicAdmission:
    def __init__(
        self,
        registry: KindRegistry,
        strategies: Strategies,
        storage: Storage,
        params: Params,
        authorizer: Authorizer,
    ) -> None:
        self._registry = registry
        self._strategies = strategies
        self._storage = storage
        self._index = Index(self._equivalents, lambda: registry.generation)
        self.poster: Callable[[], Poster] = NoPoster
        self.starting = False
        """While the platform starts, what it writes itself is not asked about, but for pods: somebody's webhook may run
        in one of its pods, and must not keep it from starting."""
        self._caller = Caller(
            lambda: self.poster(),
            self._namespace,
            self._equivalents,
            self._see,
            self._convert,
            lambda subject: authorizer_of(authorizer, subject),
        )
        self._runner = Runner(
            params,
            self._namespace,
            self._equivalents,
            lambda subject: authorizer_of(authorizer, subject),
            self._see,
        )

    def follow(self, storage: Storage) -> None:
        self._index.follow(storage)

    def concerns(self, operation: str, resource: Resource, subresource: str) -> bool:
        if not self._index.about(operation, resource, subresource):
            return False
        own_start = self.starting and identity.current.get() is identity.SYSTEM
        return resource == PODS or not own_start

    def about(self, subject: Subject) -> Concerned:
        return self._index.about(subject.operation, subject.resource, subject.subresource)

    async def mutate(self, subject: Subject, objects: Objects, warnings: list[str]) -> None:
        """Changes `objects.new`. Raises ApiError."""
        await self._caller.mutate(self.about(subject).mutating, subject, objects, warnings)

    async def validate(self, subject: Subject, objects: Objects, warnings: list[str]) -> None:
        """Raises ApiError. Policies come first, as they cost less."""
        concerned = self.about(subject)
        await self._runner.validate(concerned.policies, subject, objects, warnings)
        await self._caller.validate(concerned.validating, subject, objects, warnings)

    async def admit(self, subject: Subject, objects: Objects) -> tuple[str, ...]:
        """What is no write of the object: CONNECT, a Binding, a question. Returns warnings; raises ApiError."""
        if not self.concerns(subject.operation, subject.resource, subject.subresource):
            return ()
        warnings: list[str] = []
        await self.mutate(subject, objects, warnings)
        await self.validate(subject, objects, warnings)
        return tuple(warnings)

    def _namespace(self, name: str) -> Object | None:
        record = self._storage.get(Key(NAMESPACES.key, "", name))
        return None if record is None else record.object()

    def _equivalents(self, resource: Resource) -> Iterable[Resource]:
        """The kind's other served versions, and its face in another group."""
        return [
            each
            for each in self._registry
            if each.key == resource.key and each.kind == resource.kind and each != resource
        ]

    def _see(self, subject: Subject, matched: Resource, objects: Objects) -> Objects:
        if matched == subject.resource or subject.kind[2]:
            return objects
        new, old = (
            None if each is None else self._convert(each, subject.resource, matched)
            for each in (objects.new, objects.old)
        )
        return Objects(new, old)

    def _convert(self, obj: Object, source: Resource, target: Resource) -> Object:
        """A copy in another version."""
        found = own(obj)
        before, after = self._strategies.of(source).conversion, self._strategies.of(target).conversion
        if before is not None:
            found = before.write(found)
        found = after.read(found) if after is not None else found
        found["apiVersion"] = target.api_version
        return found
