"""What a write does within the database's transaction: the newest state, the change, admission, validation, storing.

Called by `verbs` in the writer thread. Where webhooks or policies are to be asked, `admission.dynamic.passage` ends an
attempt and `verbs` makes another one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from sampan.client.protocol import DeleteOptions, PatchType, WriteOptions
from sampan.cluster.apiserver import conversion, lifecycle, strictness
from sampan.cluster.apiserver.access import identity
from sampan.cluster.apiserver.admission.dynamic import passage as passages
from sampan.cluster.apiserver.admission.dynamic.passage import Passage, View
from sampan.cluster.apiserver.admission.dynamic.subject import Subject
from sampan.cluster.apiserver.admission.pipeline import Pipeline, request_for
from sampan.cluster.apiserver.scale import SCALE_KIND, scale_of, with_scale
from sampan.cluster.apiserver.storage import Key, Record, Transaction
from sampan.cluster.apiserver.strategy import Strategies, Strategy
from sampan.kube import meta
from sampan.kube.errors import (
    Cause,
    ForbiddenError,
    already_exists,
    conflict,
    not_found,
)
from sampan.kube.kinds import NAMESPACES, Resource
from sampan.kube.managedfields import Writer, begin, track
from sampan.kube.meta import Object
from sampan.lib import ids
from sampan.lib.clock import Clock, rfc3339
from sampan.lib.log import get_logger

T = TypeVar("T")
log = get_logger(__name__)

_GENERATED_NAME_TRIES = 8
_GENERATED_PREFIX_LIMIT = 58
_QUIET = WriteOptions(field_validation="Ignore")
"""What webhooks add and the kind does not know is dropped, as upstream."""
_STALE = "the object has been modified; please apply your changes to the latest version and try again"

Mutation = Callable[[Object], Object]
"""From a copy of the stored object to the wanted one."""


Allocator = Callable[[Transaction, Object], None]
"""Gives an object what no two may have. Called in the transaction that writes it; raises ApiError."""


class Writing:
    """For one event loop."""

    def __init__(
        self,
        strategies: Strategies,
        clock: Clock,
        admission: Pipeline,
        allocators: Mapping[Resource, Allocator],
    ) -> None:
        self.strategies = strategies
        self.clock = clock
        self.admission = admission
        self._allocators = allocators

    def now(self) -> str:
        return rfc3339(self.clock.now())

    def admit(
        self,
        strategy: Strategy,
        obj: Any,
        namespace: str | None,
        options: WriteOptions,
        patch: PatchType | None = None,
    ) -> tuple[str, ...]:
        """That it is an object of this kind. Returns warnings; raises BadRequestError, InvalidError."""
        lifecycle.check_shape(strategy, obj, namespace)
        warnings = strictness.check(self.strategies, strategy, obj, options, patch)
        return (strategy.deprecation, *warnings) if strategy.deprecation else warnings

    def create(self, txn: Transaction, strategy: Strategy, obj: Object, manager: str = "") -> Record:
        """`manager` empty: the creator is one of ours, or the object has its managedFields already."""
        resource, metadata = strategy.resource, obj["metadata"]
        if resource.namespaced:
            _check_namespace(txn, resource, metadata.get("name") or "", metadata["namespace"])
        passage = passages.current.get()
        ready = None if passage is None else passage.prepared(0)
        obj = self._prepare_create(txn, strategy, obj, manager) if ready is None else ready
        key = key_of(resource, obj["metadata"]["name"], obj["metadata"].get("namespace"))
        if txn.get(key) is not None:
            raise already_exists(resource.group, resource.plural, key.name)
        if resource in self._allocators:
            self._allocators[resource](txn, obj)
        if passage is not None and ready is None:
            passage.validated(subject_of("CREATE", resource, obj["metadata"]), obj, None, 0)
        warnings: tuple[str, ...] = ()
        if self.admission.concerns(resource, key.namespace):
            warnings = self.admission.check(request_for("CREATE", resource, obj), obj, None, txn)
        return _warned(conversion.put(txn, strategy, key, obj, None), warnings)

    def _prepare_create(self, txn: Transaction, strategy: Strategy, obj: Object, manager: str) -> Object:
        """The object as it will be stored, validated by its kind."""
        passage = passages.current.get()
        resource, metadata = strategy.resource, obj["metadata"]
        generated = not metadata.get("name") and metadata.get("generateName")
        if generated:
            # Before anything that is derived from the name.
            metadata["name"] = _free_name(txn, resource, metadata)
        elif passage is not None and metadata.get("name"):
            # Nobody needs to be asked about what cannot be.
            key = key_of(resource, metadata["name"], metadata.get("namespace"))
            if txn.get(key) is not None:
                raise already_exists(resource.group, resource.plural, key.name)
        concerns = self.admission.concerns(resource, metadata.get("namespace") or "")
        if manager or concerns or passage is not None:
            strategy.default(obj)
        if manager:
            # Before admission and what the server decides: that is nobody's doing.
            self._own(strategy, obj, manager)
        if concerns:
            obj = self.admission.mutate(request_for("CREATE", resource, obj), obj, None, txn)
        if passage is not None:
            obj = self._mutated_new(txn, strategy, obj, passage, generated=bool(generated))
        lifecycle.prepare_create(strategy, obj, self.clock)
        lifecycle.validate_create(strategy, obj)
        return obj

    def _own(self, strategy: Strategy, obj: Object, manager: str) -> None:
        resource = strategy.resource
        if strategy.has_status and not strategy.keeps_status_on_create:
            obj.pop("status", None)
        begin(*self.strategies.typed(resource), obj, Writer(manager, self.now(), resource.api_version))

    def _mutated_new(
        self, txn: Transaction, strategy: Strategy, obj: Object, passage: Passage, *, generated: bool
    ) -> Object:
        """As mutating webhooks want it, and as the client might have sent it. They see no generated name."""
        resource, metadata = strategy.resource, obj["metadata"]
        name = metadata.pop("name") if generated else ""
        given = passages.own_of(obj)
        obj = passage.mutated(subject_of("CREATE", resource, metadata), obj, None, 0)
        if generated and not obj["metadata"].get("name"):
            obj["metadata"]["name"] = given["metadata"]["name"] = name
        if obj != given:
            self.admit(strategy, obj, given["metadata"].get("namespace"), _QUIET)
            strategy.default(obj)
            obj = self.admission.complete(request_for("CREATE", resource, obj), obj, txn)
        return obj

    def update(
        self,
        txn: Transaction,
        strategy: Strategy,
        key: Key,
        mutation: Mutation,
        subresource: str,
        manager: str | None,
    ) -> Record:
        """`manager` None: the mutation has set the managedFields itself."""
        resource = strategy.resource
        current = txn.get(key)
        if current is None:
            raise not_found(resource.group, resource.plural, key.name)
        old = conversion.read(strategy, current)
        passage = passages.current.get()
        new = None if passage is None else passage.prepared(current.rev)
        # Scaling is an update of the object itself, seen through a Scale.
        part = "" if subresource == "scale" else subresource
        ready = new is not None
        if new is None:
            new = mutation(conversion.read(strategy, current))
            seen = new["metadata"].get("resourceVersion")
            if seen and seen != str(current.rev):
                raise conflict(resource.group, resource.plural, key.name, _STALE)
            new = self._mutated(txn, strategy, new, old, subresource)
            lifecycle.prepare_update(strategy, new, old, part, self.now())
        if new == old and (passage is None or ready):
            return conversion.served(strategy, current)
        if not ready:
            if manager is not None and new != old and "managedFields" in old["metadata"]:
                writer = Writer(manager or "unknown", self.now(), resource.api_version, subresource)
                track(*self.strategies.typed(resource), old, new, writer)
            lifecycle.validate_update(strategy, new, old, part)
        if resource in self._allocators and not part:
            self._allocators[resource](txn, new)
        if passage is not None and not ready:
            subject = subject_of("UPDATE", resource, old["metadata"], subresource)
            passage.validated(subject, new, old, current.rev, self._view(strategy, subresource))
        warnings: tuple[str, ...] = ()
        if self.admission.concerns(resource, key.namespace):
            warnings = self.admission.check(request_for("UPDATE", resource, old, subresource), new, old, txn)
        if lifecycle.is_removable(strategy, new):
            self.admission.released(resource, new, txn)
            return conversion.delete(txn, strategy, key, new, current)
        return _warned(conversion.put(txn, strategy, key, new, current), warnings)

    def _mutated(
        self, txn: Transaction, strategy: Strategy, new: Object, old: Object, subresource: str
    ) -> Object:
        """As built-in admission and then the webhooks want it."""
        resource = strategy.resource
        if self.admission.concerns(resource, meta.namespace(old)):
            new = self.admission.mutate(request_for("UPDATE", resource, old, subresource), new, old, txn)
        passage = passages.current.get()
        if passage is None:
            return new
        strategy.default(new)
        subject = subject_of("UPDATE", resource, old["metadata"], subresource)
        view, given = self._view(strategy, subresource), passages.own_of(new)
        new = passage.mutated(subject, new, old, int(old["metadata"]["resourceVersion"]), view)
        if new != given:
            self.admit(strategy, new, old["metadata"].get("namespace"), _QUIET)
        return new

    def _view(self, strategy: Strategy, subresource: str) -> View | None:
        """How admission sees the object of a sub-resource, and back."""
        paths = strategy.scale
        if subresource != "scale" or paths is None:
            return None
        return View(lambda obj: scale_of(obj, paths), lambda obj, scale: with_scale(obj, scale, paths))

    def delete(
        self, txn: Transaction, strategy: Strategy, key: Key, options: DeleteOptions
    ) -> tuple[Record, bool]:
        resource = strategy.resource
        current = txn.get(key)
        if current is None:
            raise not_found(resource.group, resource.plural, key.name)
        if key.name in strategy.protected_names:
            raise ForbiddenError(
                f'{resource.plural} "{key.name}" is forbidden: this {resource.singular} may not be deleted',
                details={"name": key.name, "kind": resource.plural},
            )
        old, new = conversion.read(strategy, current), conversion.read(strategy, current)
        lifecycle.check_preconditions(strategy, old, options.uid, options.resource_version)
        passage = passages.current.get()
        if passage is not None and passage.prepared(current.rev) is None:
            passage.validated(subject_of("DELETE", resource, old["metadata"]), None, old, current.rev)
        if "deletionTimestamp" not in old["metadata"]:
            self.admission.check_deletion(resource, old, txn)
        if lifecycle.begin_deletion(strategy, new, options, self.clock):
            # What watchers see of an object that went at once is its last state, without marks of deletion.
            last = new if "deletionTimestamp" in old["metadata"] else old
            self.admission.released(resource, old, txn)
            return conversion.delete(txn, strategy, key, last, current), True
        if new == old:
            return conversion.served(strategy, current), False
        return conversion.put(txn, strategy, key, new, current), False


def _warned(record: Record, warnings: tuple[str, ...]) -> Record:
    """For the writer alone: what is stored, and what watchers see, has none."""
    return replace(record, warnings=warnings) if warnings else record


def key_of(resource: Resource, name: str, namespace: str | None) -> Key:
    return Key(resource.key, (namespace or "") if resource.namespaced else "", name)


def subject_of(
    operation: str,
    resource: Resource,
    metadata: Object,
    subresource: str = "",
    *,
    dry_run: bool = False,
    kind: tuple[str, str, str] = ("", "", ""),
) -> Subject:
    namespace, name = str(metadata.get("namespace") or ""), str(metadata.get("name") or "")
    if resource == NAMESPACES:
        namespace = name
    if subresource == "scale":
        kind = SCALE_KIND
    passage = passages.current.get()
    options = {} if passage is None else passage.options(operation)
    return Subject(
        operation,
        resource,
        namespace if resource.namespaced or resource == NAMESPACES else "",
        name,
        identity.current.get(),
        subresource,
        kind,
        options,
        dry_run if passage is None else passage.dry_run,
    )


def _free_name(txn: Transaction, resource: Resource, metadata: Object) -> str:
    """After `metadata.generateName`; the last try where all are taken."""
    name = ""
    for _ in range(_GENERATED_NAME_TRIES):
        name = metadata["generateName"][:_GENERATED_PREFIX_LIMIT] + ids.random_suffix()
        if txn.get(key_of(resource, name, metadata.get("namespace"))) is None:
            break
    return name


def _check_namespace(txn: Transaction, resource: Resource, name: str, namespace: str) -> None:
    record = txn.get(Key(NAMESPACES.key, "", namespace))
    if record is None:
        raise not_found(NAMESPACES.group, NAMESPACES.plural, namespace)
    # Cheaper than decoding each time; the word may also stand elsewhere in the object, hence the second look.
    if b"deletionTimestamp" in record.data and record.object()["metadata"].get("deletionTimestamp"):
        raise ForbiddenError(
            f'{resource.plural} "{name}" is forbidden: unable to create new content in namespace {namespace} '
            "because it is being terminated",
            details={"name": name, "kind": resource.plural},
            causes=(
                Cause(
                    "NamespaceTerminating", "metadata.namespace", f"namespace {namespace} is being terminated"
                ),
            ),
        )
