"""A write's way through webhooks and policies, which cannot be asked inside of the database's transaction.

`verbs` works a write out in the writer thread as always, and stops where Kubernetes would ask: the transaction is
dropped, the webhooks are called in the event loop, and the write is worked out anew with what they answered. An answer
holds for the state of the object that it was given for; when somebody else has written meanwhile it is asked for
again, as kube-apiserver does. Why: docs/decisions/0016-writes-are-rehearsed-for-webhooks.md.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from typing import TypeVar

from sampan.cluster.apiserver.admission.dynamic.calling import own
from sampan.cluster.apiserver.admission.dynamic.service import DynamicAdmission
from sampan.cluster.apiserver.admission.dynamic.subject import Objects, Subject
from sampan.cluster.apiserver.storage import Transaction
from sampan.cluster.apiserver.strategy import NeededError
from sampan.kube.errors import ApiError, ConflictError
from sampan.kube.meta import Object

T = TypeVar("T")
_ROUNDS = 16
"""Three of them make one write; the rest is for those who wrote in between."""
Attempt = Callable[[Transaction], T]
Write = Callable[[Attempt[T]], Awaitable[T]]


@dataclass(frozen=True, slots=True)
class View:
    """An object as one of its sub-resources shows it."""

    of: Callable[[Object], Object]
    back: Callable[[Object, Object], Object]
    """(object, what it is seen as): the object so changed."""


class HaltedError(Exception):
    """Ends a rehearsal: something is to be asked first. Carries nothing; `Passage` knows."""


@dataclass(slots=True)
class _Question:
    subject: Subject
    objects: Objects
    revision: int
    validating: bool
    kept: Object | None = None


def _objects(obj: Object | None, old: Object | None, view: View | None) -> Objects:
    """Copies, as they leave the thread."""
    new, before = (
        None if each is None else own(each if view is None else view.of(each)) for each in (obj, old)
    )
    return Objects(new, before)


class Passage:
    """One write. Its methods but `run` are called in the writer thread, in the context of the write."""

    def __init__(self, admission: DynamicAdmission, *, dry_run: bool, field_manager: str) -> None:
        self._admission = admission
        self.dry_run = dry_run
        self._field_manager = field_manager
        self.warnings: list[str] = []
        self._question: _Question | None = None
        self._mutated: tuple[int, Object] | None = None
        self._prepared: tuple[int, Object] | None = None

    def options(self, operation: str) -> Object:
        """CreateOptions and so on, as webhooks see them."""
        options: Object = {"kind": f"{operation.capitalize()}Options", "apiVersion": "meta.k8s.io/v1"}
        if self.dry_run:
            options["dryRun"] = ["All"]
        if self._field_manager and operation != "DELETE":
            options["fieldManager"] = self._field_manager
        return options

    def mutated(
        self,
        subject: Subject,
        obj: Object,
        old: Object | None,
        revision: int,
        view: View | None = None,
    ) -> Object:
        """The object as mutating webhooks want it. Raises HaltedError to have them asked."""
        if not self._admission.about(subject).mutating:
            return obj
        if self._mutated is not None and self._mutated[0] == revision:
            found = own(self._mutated[1])
            return found if view is None else view.back(obj, found)
        self._question = _Question(subject, _objects(obj, old, view), revision, validating=False)
        raise HaltedError

    def prepared(self, revision: int) -> Object | None:
        """The object that everybody has agreed to, if it was made from this revision."""
        if self._prepared is None or self._prepared[0] != revision:
            return None
        return own(self._prepared[1])

    def validated(
        self,
        subject: Subject,
        obj: Object | None,
        old: Object | None,
        revision: int,
        view: View | None = None,
    ) -> None:
        """Raises HaltedError to have it validated; then `prepared` has it."""
        self._question = _Question(subject, _objects(obj, old, view), revision, validating=True)
        kept = obj if obj is not None else old
        assert kept is not None
        self._question.kept = own(kept)
        raise HaltedError

    async def run(self, write: Write[T], attempt: Attempt[T]) -> T:
        """Raises ApiError."""
        for _ in range(_ROUNDS):
            token = current.set(self)
            context = copy_context()
            current.reset(token)
            try:
                return await write(lambda txn, context=context: context.run(attempt, txn))  # type: ignore[misc]
            except HaltedError:
                await self._answer()
            except NeededError as needed:
                await needed.resolve()
            except ApiError as error:
                error.warnings = (*error.warnings, *self.warnings)
                raise
        raise ConflictError(
            "the object is written so often that admission webhooks cannot keep up; try again"
        )

    async def _answer(self) -> None:
        """Raises ApiError, with what webhooks have warned of so far."""
        try:
            await self._asked()
        except ApiError as error:
            error.warnings = tuple(self.warnings)
            raise

    async def _asked(self) -> None:
        question, self._question = self._question, None
        assert question is not None
        subject, objects, revision = question.subject, question.objects, question.revision
        if not question.validating:
            await self._admission.mutate(subject, objects, self.warnings)
            assert objects.new is not None
            self._mutated = (revision, objects.new)
            return
        if objects.new is None:
            # Who deletes is asked by both kinds; nothing can be changed.
            await self._admission.mutate(subject, objects, self.warnings)
        await self._admission.validate(subject, objects, self.warnings)
        assert question.kept is not None
        self._prepared = (revision, question.kept)


current: ContextVar[Passage | None] = ContextVar("passage through admission", default=None)
"""Of the write that is being rehearsed; None where nobody needs to be asked."""


def own_of(obj: Object) -> Object:
    """What an attempt may change, as there may be another one."""
    return obj if current.get() is None else own(obj)
