"""Calls webhooks about one write: the mutating ones in turn, the validating ones at once.

Knows neither how a call is sent nor when in a write it is made: `passage` calls this. Nothing is locked meanwhile, so a
webhook may itself use the API.

Source: k8s.io/apiserver/pkg/admission/plugin/webhook/{mutating,validating}/dispatcher.go, v1.33.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sampan.client.calls import CallError, Poster
from sampan.cluster.apiserver.admission.dynamic import expressions, reviews
from sampan.cluster.apiserver.admission.dynamic.configuration import Webhook
from sampan.cluster.apiserver.admission.dynamic.matching import Equivalents, NamespaceOf
from sampan.cluster.apiserver.admission.dynamic.reviews import ReviewError, Verdict
from sampan.cluster.apiserver.admission.dynamic.subject import Objects, Subject, refused
from sampan.cluster.apiserver.storage import decode, encode
from sampan.kube import patches
from sampan.kube.errors import ApiError, BadRequestError, Cause, InternalError
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object
from sampan.lib import ids
from sampan.lib.log import get_logger

log = get_logger(__name__)

See: TypeAlias = Callable[[Subject, Resource, Objects], Objects]
"""The objects in the version that a webhook's rules name."""
Convert: TypeAlias = Callable[[Object, Resource, Resource], Object]
"""(object, the version it is in, the wanted one): a copy of its own where they differ."""
_MAX_PATCHED_BYTES = 3 * 1024 * 1024
_CALLS_AT_ONCE = 128


@dataclass
class Caller:
    """For one event loop."""

    poster: Callable[[], Poster]
    namespace_of: NamespaceOf
    equivalents: Equivalents
    see: See
    convert: Convert
    authorizer_of: Callable[[Subject], Any]
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_CALLS_AT_ONCE))

    async def mutate(
        self, webhooks: Sequence[Webhook], subject: Subject, objects: Objects, warnings: list[str]
    ) -> Object | None:
        """The object as the webhooks want it. Raises ApiError."""
        invoked: list[tuple[Webhook, Object | None]] = []
        for webhook in webhooks:
            matched = await self._invocation(webhook, subject, objects)
            if matched is None:
                continue
            await self._mutate_by(webhook, matched, subject, objects, warnings)
            invoked.append((webhook, objects.new))
        # Those that have not seen what came after them are asked once more, if they want to be.
        for webhook, seen in invoked:
            if webhook.reinvoked and seen != objects.new:
                matched = await self._invocation(webhook, subject, objects)
                if matched is not None:
                    await self._mutate_by(webhook, matched, subject, objects, warnings)
        return objects.new

    async def validate(
        self, webhooks: Sequence[Webhook], subject: Subject, objects: Objects, warnings: list[str]
    ) -> None:
        """Raises ApiError: of several refusals the first one's, in the order of names."""
        matched = [(each, await self._invocation(each, subject, objects)) for each in webhooks]
        found: list[list[str]] = [[] for _ in matched]
        answers = await asyncio.gather(
            *(
                self._validate_by(webhook, resource, subject, objects, told)
                for (webhook, resource), told in zip(matched, found, strict=True)
                if resource is not None
            ),
            return_exceptions=True,
        )
        warnings += [text for told in found for text in told]
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer

    async def _invocation(self, webhook: Webhook, subject: Subject, objects: Objects) -> Resource | None:
        """The version to call the webhook with; None when it is not concerned. Raises ForbiddenError."""
        matched = webhook.matcher.resource(subject, self.equivalents)
        if matched is None or not webhook.matcher.selects(subject, objects, self.namespace_of):
            return None
        if not webhook.conditions.expressions:
            return matched
        seen = self.see(subject, matched, objects)
        try:
            given = expressions.variables_of(subject, seen, authorizer=self.authorizer_of(subject))
            holds = await asyncio.to_thread(webhook.conditions.hold, given)
        except expressions.ExpressionError as error:
            if webhook.fails_closed:
                raise refused(subject, str(error)) from error
            return None
        return matched if holds else None

    async def _mutate_by(
        self, webhook: Webhook, matched: Resource, subject: Subject, objects: Objects, warnings: list[str]
    ) -> None:
        """Replaces `objects.new`, which stays as it was for who has kept it."""
        answer = await self._ask(webhook, matched, subject, objects, warnings, mutating=True)
        if answer is None or not answer.patch:
            return
        if objects.new is None:
            raise _internal(
                f'admission webhook "{webhook.name}" attempted to modify the object, which is not supported for this '
                "operation"
            )
        seen = self.see(subject, matched, objects)
        try:
            patched = patches.json_patch(seen.new, answer.patch)
            if not isinstance(patched, dict) or len(encode(patched)) > _MAX_PATCHED_BYTES:
                raise BadRequestError("the patched object is none, or too large")
        except ApiError as error:
            raise _internal(str(error)) from error
        objects.new = self._back(subject, matched, patched)

    async def _validate_by(
        self, webhook: Webhook, matched: Resource, subject: Subject, objects: Objects, warnings: list[str]
    ) -> None:
        await self._ask(webhook, matched, subject, objects, warnings, mutating=False)

    async def _ask(
        self,
        webhook: Webhook,
        matched: Resource,
        subject: Subject,
        objects: Objects,
        warnings: list[str],
        *,
        mutating: bool,
    ) -> Verdict | None:
        """The verdict of one that allows it; None of one that failed and may. Raises ApiError."""
        if subject.dry_run and not webhook.dry_runs:
            raise BadRequestError(f'admission webhook "{webhook.name}" does not support dry run')
        try:
            answer = await self._call(webhook, matched, subject, objects, mutating=mutating)
        except (CallError, ReviewError) as error:
            text = f'failed calling webhook "{webhook.name}": {error}'
            if webhook.fails_closed:
                raise _internal(text) from error
            log.warning("a webhook failed and is ignored", webhook=webhook.name, why=str(error))
            return None
        warnings += answer.warnings
        if not answer.allowed:
            raise reviews.rejection(webhook.name, answer.status)
        return answer

    async def _call(
        self, webhook: Webhook, matched: Resource, subject: Subject, objects: Objects, *, mutating: bool
    ) -> Verdict:
        if not webhook.review_version:
            raise CallError(
                "could not create admission objects: webhook does not accept known AdmissionReview versions "
                "(v1, v1beta1)"
            )
        uid = ids.new_uid()
        seen = self.see(subject, matched, objects)
        body = encode(reviews.review(webhook.review_version, uid, subject, matched, seen))
        try:
            async with asyncio.timeout(webhook.seconds), self._slots:
                raw = await self.poster().post(webhook.endpoint, body, webhook.seconds)
        except TimeoutError as error:
            raise CallError(
                f'failed to call webhook: Post "{webhook.endpoint.url}": context deadline exceeded'
            ) from error
        except CallError as error:
            raise CallError(f"failed to call webhook: {error}") from error
        try:
            return reviews.verdict(webhook.review_version, uid, raw, mutating=mutating)
        except ReviewError as error:
            if str(error).startswith(("received", "unsupported", "couldn't")):
                raise
            raise ReviewError(f"received invalid webhook response: {error}") from error

    def _back(self, subject: Subject, matched: Resource, obj: Object) -> Object:
        if matched == subject.resource or subject.kind[2]:
            return obj
        return self.convert(obj, matched, subject.resource)


def own(obj: Object) -> Object:
    copied: Object = decode(encode(obj))
    return copied


def _internal(text: str) -> InternalError:
    """As upstream's NewInternalError, with its cause."""
    return InternalError(f"Internal error occurred: {text}", causes=(Cause("", "", text),))
