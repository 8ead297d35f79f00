"""The verbs of the API, the same for every kind: what `http` and `inprocess` call, and nothing else.

A change is worked out and written in one database transaction, so it is always made to the newest state; a
resourceVersion in the request only says which state the caller has seen. Objects given to a verb become its
own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import copy_context
from dataclasses import replace
from types import MappingProxyType
from typing import Any, TypeVar

from sampan.client.protocol import DeleteOptions, ListOptions, PatchType, WriteOptions
from sampan.cluster.apiserver import conversion, lifecycle, strictness
from sampan.cluster.apiserver.access import identity
from sampan.cluster.apiserver.access.reviews import Answer
from sampan.cluster.apiserver.admission.pipeline import Pipeline, request_for
from sampan.cluster.apiserver.patching import invalid_patch, patcher
from sampan.cluster.apiserver.queries import Selection, decode_continue
from sampan.cluster.apiserver.scale import MistypedScaleError, scale_of, with_scale
from sampan.cluster.apiserver.storage import Key, ListQuery, Page, Record, Storage, Transaction, encode
from sampan.cluster.apiserver.strategy import ScalePaths, Strategies, Strategy
from sampan.kube.errors import (
    ApiError,
    BadRequestError,
    Cause,
    ForbiddenError,
    InternalError,
    MethodNotAllowedError,
    already_exists,
    conflict,
    invalid,
    not_found,
)
from sampan.kube.fielderrors import FieldErrors
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
_STALE = "the object has been modified; please apply your changes to the latest version and try again"

Mutation = Callable[[Object], Object]
"""From a copy of the stored object to the wanted one."""


Allocator = Callable[[Transaction, Object], None]
"""Gives an object what no two may have. Called in the transaction that writes it; raises ApiError."""


class Verbs:
    """For one event loop."""

    def __init__(
        self,
        storage: Storage,
        strategies: Strategies,
        clock: Clock,
        admission: Pipeline,
        answers: Mapping[Resource, Answer],
        allocators: Mapping[Resource, Allocator] = MappingProxyType({}),
    ) -> None:
        """`answers` are the kinds that are not stored but answered, such as a SubjectAccessReview."""
        self.storage = storage
        self._allocators = allocators
        self.strategies = strategies
        self.clock = clock
        self.admission = admission
        self._answers = {kind.key: answer for kind, answer in answers.items()}

    def now(self) -> str:
        return rfc3339(self.clock.now())

    def _admit(
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

    # Reading.

    def get(self, resource: Resource, name: str, namespace: str | None) -> Record:
        strategy = self.strategies.of(resource)
        record = self.storage.get(_key(resource, name, namespace))
        if record is None:
            raise not_found(resource.group, resource.plural, name)
        return record if strategy.conversion is None else conversion.served(strategy, record)

    async def list(self, resource: Resource, namespace: str | None, options: ListOptions) -> Page:
        """One page; `queries.encode_continue` makes its token. BadRequestError, ExpiredError."""
        if not resource.is_stored:
            raise MethodNotAllowedError(
                "the server does not allow this method on the requested resource",
                details={"kind": resource.plural},
            )
        strategy = self.strategies.of(resource)
        selection = Selection.parse(strategy, options)
        revision, after = decode_continue(options, self.storage)
        page = await self.storage.page(
            ListQuery(
                resource.key,
                namespace if resource.namespaced else None,
                selection.name,
                after,
                revision,
                options.limit,
                selection.predicate,
            )
        )
        return page if strategy.conversion is None else conversion.served_page(strategy, page)

    # Writing.

    async def create(
        self, resource: Resource, obj: Any, namespace: str | None, options: WriteOptions
    ) -> Record:
        strategy = self.strategies.of(resource)
        conversion.check_open(strategy)
        warnings = self._admit(strategy, obj, namespace, options)
        if (answer := self._answers.get(resource.key)) is not None:
            obj["metadata"].pop("resourceVersion", None)
            answered = answer(obj, namespace or "", identity.current.get())
            return Record(0, encode(answered), warnings)
        record = await self._write(
            lambda txn: self._create(txn, strategy, obj, options.field_manager), options
        )
        return replace(record, warnings=warnings) if warnings else record

    async def replace(
        self,
        resource: Resource,
        name: str,
        obj: Any,
        namespace: str | None,
        options: WriteOptions,
        subresource: str = "",
    ) -> Record:
        strategy = self.strategies.of(resource)
        warnings = self._admit(strategy, obj, namespace, options)
        lifecycle.check_name(obj, name)
        if not strategy.unconditional_update and not obj["metadata"].get("resourceVersion"):
            errors = FieldErrors()
            errors.invalid("metadata.resourceVersion", 0, "must be specified for an update")
            raise invalid(resource.group, resource.kind, name, errors.causes)
        key = _key(resource, name, namespace)
        record = await self._write(
            lambda txn: self._update(txn, strategy, key, lambda _: obj, subresource, options.field_manager),
            options,
        )
        return replace(record, warnings=warnings) if warnings else record

    async def patch(  # noqa: PLR0913  as the request
        self,
        resource: Resource,
        name: str,
        patch: Any,
        namespace: str | None,
        patch_type: PatchType,
        options: WriteOptions,
        subresource: str = "",
    ) -> tuple[Record, bool]:
        """The object, and whether server-side apply has created it."""
        strategy = self.strategies.of(resource)
        if resource.namespaced and not namespace:
            raise BadRequestError("an empty namespace may not be set when a resource name is provided")
        key = _key(resource, name, namespace)
        apply = patcher(self.strategies, resource, patch_type, patch, options, self.now(), subresource)
        warnings: tuple[str, ...] = ()

        def run(txn: Transaction) -> tuple[Record, bool]:
            nonlocal warnings
            if patch_type is PatchType.APPLY and not subresource and txn.get(key) is None:
                conversion.check_open(strategy)
                obj = apply({})
                warnings = self._admit(strategy, obj, namespace, options, patch_type)
                obj["metadata"]["name"] = name
                return self._create(txn, strategy, obj), True

            def mutation(old: Object) -> Object:
                nonlocal warnings
                new = apply(old)
                warnings = self._admit(strategy, new, namespace, options, patch_type)
                lifecycle.check_name(new, name)
                return new

            manager = None if patch_type is PatchType.APPLY else options.field_manager
            return self._update(txn, strategy, key, mutation, subresource, manager), False

        record, created = await self._write(run, options)
        return (replace(record, warnings=warnings) if warnings else record), created

    async def mutate(
        self, resource: Resource, name: str, namespace: str | None, mutation: Mutation, subresource: str
    ) -> Record:
        """For sub-resources with a meaning of their own, such as a pod's binding."""
        strategy = self.strategies.of(resource)
        key = _key(resource, name, namespace)
        return await self._write(
            lambda txn: self._update(txn, strategy, key, mutation, subresource, ""), WriteOptions()
        )

    # Scaling: an object seen as a Scale.

    def get_scale(self, resource: Resource, name: str, namespace: str | None) -> Record:
        paths = self._scale_paths(resource)
        return _scale_record(self.get(resource, name, namespace), paths)

    async def replace_scale(
        self, resource: Resource, name: str, scale: Any, namespace: str | None, options: WriteOptions
    ) -> Record:
        return await self._scale(resource, name, lambda _: scale, namespace, options)

    async def patch_scale(
        self,
        resource: Resource,
        name: str,
        patch: Any,
        namespace: str | None,
        patch_type: PatchType,
        options: WriteOptions,
    ) -> Record:
        if patch_type in (PatchType.STRATEGIC, PatchType.APPLY):
            # A Scale has no lists: all three mean the same.
            patch_type = PatchType.MERGE
        apply = patcher(self.strategies, resource, patch_type, patch, options, self.now(), "scale")
        try:
            return await self._scale(resource, name, apply, namespace, options)
        except MistypedScaleError as error:
            raise invalid_patch(patch, error.message) from error

    async def _scale(
        self,
        resource: Resource,
        name: str,
        change: Mutation,
        namespace: str | None,
        options: WriteOptions,
    ) -> Record:
        strategy, paths = self.strategies.of(resource), self._scale_paths(resource)
        key = _key(resource, name, namespace)

        def mutation(obj: Object) -> Object:
            return with_scale(obj, change(scale_of(obj, paths)), paths)

        record = await self._write(
            lambda txn: self._update(txn, strategy, key, mutation, "scale", options.field_manager), options
        )
        return _scale_record(record, paths)

    def _scale_paths(self, resource: Resource) -> ScalePaths:
        paths = self.strategies.of(resource).scale
        if paths is None:
            raise not_found(resource.group, f"{resource.plural}/scale", "")
        return paths

    async def delete(
        self, resource: Resource, name: str, namespace: str | None, options: DeleteOptions
    ) -> tuple[Record, bool]:
        """The object as it is now, and whether it is gone."""
        strategy = self.strategies.of(resource)
        key = _key(resource, name, namespace)
        return await self._write(
            lambda txn: self._delete(txn, strategy, key, options), WriteOptions(dry_run=options.dry_run)
        )

    async def delete_collection(
        self, resource: Resource, namespace: str | None, list_options: ListOptions, options: DeleteOptions
    ) -> Page:
        """What was selected, as it was. Objects are deleted one by one: one that cannot be ends it."""
        if options.uid:
            raise BadRequestError("a uid precondition cannot be used to delete a collection")
        page = await self.list(resource, namespace, list_options)
        for data in page.items:
            metadata = Record(0, data).object()["metadata"]
            try:
                await self.delete(resource, metadata["name"], metadata.get("namespace"), options)
            except ApiError as error:
                if error.code != 404:
                    raise
        return page

    async def _write(self, fn: Callable[[Transaction], T], options: WriteOptions) -> T:
        # Who writes is known in the writer thread too.
        context = copy_context()
        try:
            return await self.storage.write(lambda txn: context.run(fn, txn), dry_run=options.dry_run)
        except ApiError:
            raise
        except Exception as error:
            # A hook that did not expect what it was given is our fault; the caller gets no traceback.
            log.error("a write failed unexpectedly", exc=error)
            raise InternalError("an error on the server has prevented the request from succeeding") from error

    # In the writer thread.

    def _create(self, txn: Transaction, strategy: Strategy, obj: Object, manager: str = "") -> Record:
        """`manager` empty: the creator is one of ours, or the object has its managedFields already."""
        resource, metadata = strategy.resource, obj["metadata"]
        if resource.namespaced:
            _check_namespace(txn, resource, metadata.get("name") or "", metadata["namespace"])
        if not metadata.get("name") and metadata.get("generateName"):
            # Before anything that is derived from the name.
            metadata["name"] = _free_name(txn, resource, metadata)
        concerns = self.admission.concerns(resource, metadata.get("namespace") or "")
        if manager or concerns:
            strategy.default(obj)
        if manager:
            # Before admission and what the server decides: that is nobody's doing.
            self._own(strategy, obj, manager)
        if concerns:
            obj = self.admission.mutate(request_for("CREATE", resource, obj), obj, None, txn)
            metadata = obj["metadata"]
        lifecycle.prepare_create(strategy, obj, self.clock)
        lifecycle.validate_create(strategy, obj)
        key = _key(resource, metadata["name"], metadata.get("namespace"))
        if txn.get(key) is not None:
            raise already_exists(resource.group, resource.plural, key.name)
        if resource in self._allocators:
            self._allocators[resource](txn, obj)
        if concerns:
            self.admission.check(request_for("CREATE", resource, obj), obj, None, txn)
        return conversion.put(txn, strategy, key, obj, None)

    def _own(self, strategy: Strategy, obj: Object, manager: str) -> None:
        resource = strategy.resource
        if strategy.has_status and not strategy.keeps_status_on_create:
            obj.pop("status", None)
        begin(*self.strategies.typed(resource), obj, Writer(manager, self.now(), resource.api_version))

    def _update(
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
        new = mutation(conversion.read(strategy, current))
        seen = new["metadata"].get("resourceVersion")
        if seen and seen != str(current.rev):
            raise conflict(resource.group, resource.plural, key.name, _STALE)
        concerns = self.admission.concerns(resource, key.namespace)
        if concerns:
            new = self.admission.mutate(request_for("UPDATE", resource, old, subresource), new, old, txn)
        # Scaling is an update of the object itself, seen through a Scale.
        part = "" if subresource == "scale" else subresource
        lifecycle.prepare_update(strategy, new, old, part, self.now())
        if new == old:
            return conversion.served(strategy, current)
        if manager is not None and "managedFields" in old["metadata"]:
            writer = Writer(manager or "unknown", self.now(), resource.api_version, subresource)
            track(*self.strategies.typed(resource), old, new, writer)
        lifecycle.validate_update(strategy, new, old, part)
        if resource in self._allocators and not part:
            self._allocators[resource](txn, new)
        if concerns:
            self.admission.check(request_for("UPDATE", resource, old, subresource), new, old, txn)
        if lifecycle.is_removable(strategy, new):
            self.admission.released(resource, new, txn)
            return conversion.delete(txn, strategy, key, new, current)
        return conversion.put(txn, strategy, key, new, current)

    def _delete(
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
        if lifecycle.begin_deletion(strategy, new, options, self.clock):
            # What watchers see of an object that went at once is its last state, without marks of deletion.
            last = new if "deletionTimestamp" in old["metadata"] else old
            self.admission.released(resource, old, txn)
            return conversion.delete(txn, strategy, key, last, current), True
        if new == old:
            return conversion.served(strategy, current), False
        return conversion.put(txn, strategy, key, new, current), False


def _key(resource: Resource, name: str, namespace: str | None) -> Key:
    return Key(resource.key, (namespace or "") if resource.namespaced else "", name)


def _scale_record(record: Record, paths: ScalePaths) -> Record:
    return replace(record, data=encode(scale_of(record.object(), paths)))


def _free_name(txn: Transaction, resource: Resource, metadata: Object) -> str:
    """After `metadata.generateName`; the last try where all are taken."""
    name = ""
    for _ in range(_GENERATED_NAME_TRIES):
        name = metadata["generateName"][:_GENERATED_PREFIX_LIMIT] + ids.random_suffix()
        if txn.get(_key(resource, name, metadata.get("namespace"))) is None:
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
