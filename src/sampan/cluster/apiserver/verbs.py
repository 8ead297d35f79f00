"""The verbs of the API, the same for every kind: what `http` and `inprocess` call, and nothing else.

A change is worked out and written in one database transaction, so it is always made to the newest state; a
resourceVersion in the request only says which state the caller has seen. Objects given to a verb become its
own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextvars import copy_context
from dataclasses import replace
from types import MappingProxyType
from typing import Any, TypeVar

from sampan.client.protocol import DeleteOptions, ListOptions, PatchType, WriteOptions
from sampan.cluster.apiserver import conversion, lifecycle
from sampan.cluster.apiserver.access import identity
from sampan.cluster.apiserver.access.reviews import Answer
from sampan.cluster.apiserver.admission.dynamic import passage as passages
from sampan.cluster.apiserver.admission.dynamic.passage import Passage
from sampan.cluster.apiserver.admission.dynamic.service import DynamicAdmission
from sampan.cluster.apiserver.admission.dynamic.subject import Objects, Subject
from sampan.cluster.apiserver.admission.pipeline import Pipeline
from sampan.cluster.apiserver.patching import invalid_patch, patcher
from sampan.cluster.apiserver.queries import Selection, decode_continue
from sampan.cluster.apiserver.scale import MistypedScaleError, scale_of, with_scale
from sampan.cluster.apiserver.storage import (
    ListQuery,
    Page,
    Record,
    Storage,
    Transaction,
    decode,
    encode,
)
from sampan.cluster.apiserver.strategy import NeededError, ScalePaths, Strategies
from sampan.cluster.apiserver.writing import Allocator, Mutation, Writing, key_of, subject_of
from sampan.kube.errors import (
    ApiError,
    BadRequestError,
    InternalError,
    MethodNotAllowedError,
    invalid,
    not_found,
)
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object
from sampan.lib.clock import Clock, rfc3339
from sampan.lib.log import get_logger

T = TypeVar("T")
log = get_logger(__name__)


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
        self.dynamic: DynamicAdmission | None = None
        """Set once there is one: webhooks and policies."""
        self.strategies = strategies
        self.clock = clock
        self._writing = Writing(strategies, clock, admission, allocators)
        self._answers = {kind.key: answer for kind, answer in answers.items()}

    def now(self) -> str:
        return rfc3339(self.clock.now())

    # Reading.

    def get(self, resource: Resource, name: str, namespace: str | None) -> Record:
        strategy = self.strategies.of(resource)
        record = self.storage.get(key_of(resource, name, namespace))
        if record is None:
            raise not_found(resource.group, resource.plural, name)
        return record if strategy.conversion is None else conversion.served(strategy, record)

    async def read(self, resource: Resource, name: str, namespace: str | None) -> Record:
        """As `get`, also where others must be asked to convert it."""
        while True:
            try:
                return self.get(resource, name, namespace)
            except NeededError as needed:
                await needed.resolve()

    async def list(self, resource: Resource, namespace: str | None, options: ListOptions) -> Page:
        """One page; `queries.encode_continue` makes its token. BadRequestError, ExpiredError."""
        if not resource.is_stored:
            raise MethodNotAllowedError(
                "the server does not allow this method on the requested resource",
                details={"kind": resource.plural},
            )
        strategy = self.strategies.of(resource)
        selection = Selection.parse(strategy, options)
        place = decode_continue(options, self.storage)
        page = await self.storage.page(
            ListQuery(
                resource.key,
                namespace if resource.namespaced else None,
                selection.name,
                place.after,
                place.revision,
                options.limit,
                selection.stored_predicate,
                left=place.left,
            )
        )
        if strategy.conversion is None:
            return page
        items = await conversion.served_all(strategy, page.items)
        if selection.served_predicate is not None:
            items = [data for data in items if selection.served_predicate(decode(data))]
        return replace(page, items=items)

    # Writing.

    async def create(
        self, resource: Resource, obj: Any, namespace: str | None, options: WriteOptions
    ) -> Record:
        strategy = self.strategies.of(resource)
        conversion.check_open(strategy)
        warnings = self._writing.admit(strategy, obj, namespace, options)
        if (answer := self._answers.get(resource.key)) is not None:
            obj["metadata"].pop("resourceVersion", None)
            subject = subject_of("CREATE", resource, obj["metadata"], dry_run=options.dry_run)
            told = await self.admit(subject, obj)
            answered = answer(obj, namespace or "", identity.current.get())
            return Record(0, encode(answered), (*warnings, *told))
        passage = self._passage(resource, "", ("CREATE",), options)
        record = await self._write(
            lambda txn: self._writing.create(txn, strategy, passages.own_of(obj), options.field_manager),
            options,
            passage,
        )
        return _told(record, warnings, passage)

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
        warnings = self._writing.admit(strategy, obj, namespace, options)
        lifecycle.check_name(obj, name)
        if not strategy.unconditional_update and not obj["metadata"].get("resourceVersion"):
            errors = FieldErrors()
            errors.invalid("metadata.resourceVersion", 0, "must be specified for an update")
            raise invalid(resource.group, resource.kind, name, errors.causes)
        key = key_of(resource, name, namespace)
        passage = self._passage(resource, subresource, ("UPDATE",), options)
        record = await self._write(
            lambda txn: self._writing.update(
                txn, strategy, key, lambda _: passages.own_of(obj), subresource, options.field_manager
            ),
            options,
            passage,
        )
        return _told(record, warnings, passage)

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
        key = key_of(resource, name, namespace)
        apply = patcher(self.strategies, resource, patch_type, patch, options, self.now(), subresource)
        warnings: tuple[str, ...] = ()

        def run(txn: Transaction) -> tuple[Record, bool]:
            nonlocal warnings
            if patch_type is PatchType.APPLY and not subresource and txn.get(key) is None:
                conversion.check_open(strategy)
                obj = apply({})
                warnings = self._writing.admit(strategy, obj, namespace, options, patch_type)
                obj["metadata"]["name"] = name
                return self._writing.create(txn, strategy, obj), True

            def mutation(old: Object) -> Object:
                nonlocal warnings
                new = apply(old)
                warnings = self._writing.admit(strategy, new, namespace, options, patch_type)
                lifecycle.check_name(new, name)
                return new

            manager = None if patch_type is PatchType.APPLY else options.field_manager
            return self._writing.update(txn, strategy, key, mutation, subresource, manager), False

        passage = self._passage(resource, subresource, ("CREATE", "UPDATE"), options)
        record, created = await self._write(run, options, passage)
        return _told(record, warnings, passage), created

    async def mutate(
        self, resource: Resource, name: str, namespace: str | None, mutation: Mutation, subresource: str
    ) -> Record:
        """For sub-resources with a meaning of their own, such as a pod's binding."""
        strategy = self.strategies.of(resource)
        key = key_of(resource, name, namespace)
        return await self._write(
            lambda txn: self._writing.update(txn, strategy, key, mutation, subresource, ""), WriteOptions()
        )

    # Scaling: an object seen as a Scale.

    async def get_scale(self, resource: Resource, name: str, namespace: str | None) -> Record:
        paths = self._scale_paths(resource)
        return _scale_record(await self.read(resource, name, namespace), paths)

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
        key = key_of(resource, name, namespace)

        def mutation(obj: Object) -> Object:
            return with_scale(obj, change(scale_of(obj, paths, to_change=True)), paths)

        passage = self._passage(resource, "scale", ("UPDATE",), options)
        record = await self._write(
            lambda txn: self._writing.update(txn, strategy, key, mutation, "scale", options.field_manager),
            options,
            passage,
        )
        return _told(_scale_record(record, paths), (), passage)

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
        key = key_of(resource, name, namespace)
        write = WriteOptions(dry_run=options.dry_run)
        passage = self._passage(resource, "", ("DELETE",), write)
        record, gone = await self._write(
            lambda txn: self._writing.delete(txn, strategy, key, options), write, passage
        )
        return _told(record, (), passage), gone

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

    async def _write(
        self, fn: Callable[[Transaction], T], options: WriteOptions, passage: Passage | None = None
    ) -> T:
        # Who writes is known in the writer thread too.
        context = copy_context()

        def write(attempt: Callable[[Transaction], T]) -> Awaitable[T]:
            return self.storage.write(attempt, dry_run=options.dry_run)

        try:
            if passage is not None:
                return await passage.run(write, fn)
            return await write(lambda txn: context.run(fn, txn))
        except ApiError:
            raise
        except Exception as error:
            # A hook that did not expect what it was given is our fault; the caller gets no traceback.
            log.error("a write failed unexpectedly", exc=error)
            raise InternalError("an error on the server has prevented the request from succeeding") from error

    # Webhooks and policies.

    def _passage(
        self, resource: Resource, subresource: str, operations: tuple[str, ...], options: WriteOptions
    ) -> Passage | None:
        """None where nobody is to be asked."""
        dynamic, converted = self.dynamic, self.strategies.of(resource).conversion
        if dynamic is None:
            return None
        by_others = converted is not None and converted.remote is not None
        if not by_others and not any(dynamic.concerns(each, resource, subresource) for each in operations):
            return None
        return Passage(dynamic, dry_run=options.dry_run, field_manager=options.field_manager)

    async def admit(self, subject: Subject, obj: Object | None) -> tuple[str, ...]:
        """Of what is no write of an object itself. Returns warnings; raises ApiError."""
        return () if self.dynamic is None else await self.dynamic.admit(subject, Objects(obj, None))


def _told(record: Record, warnings: tuple[str, ...], passage: Passage | None) -> Record:
    """With what the client is warned of; the record has what admission's hooks say."""
    warnings = (*warnings, *record.warnings)
    if passage is not None:
        warnings = (*warnings, *passage.warnings)
    return replace(record, warnings=warnings) if warnings else record


def _scale_record(record: Record, paths: ScalePaths) -> Record:
    return replace(record, data=encode(scale_of(record.object(), paths)))
