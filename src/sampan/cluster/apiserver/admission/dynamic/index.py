"""All webhooks and policies there are, compiled, and which of them a kind of write concerns. Kept by the change feed.

With none stored a write costs one comparison here. Objects of a broken configuration stop no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sampan.cluster.apiserver.admission.dynamic.configuration import Webhook, webhooks_of
from sampan.cluster.apiserver.admission.dynamic.matching import Equivalents, Matcher, is_exempt
from sampan.cluster.apiserver.admission.dynamic.policy import Policy, policies_of
from sampan.cluster.apiserver.admission.mirror import Mirror
from sampan.cluster.apiserver.storage import Storage
from sampan.kube import meta
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object
from sampan.lib.log import get_logger

log = get_logger(__name__)

_GROUP = "admissionregistration.k8s.io"
_KINDS = (
    ("MutatingWebhookConfiguration", "mutatingwebhookconfigurations"),
    ("ValidatingWebhookConfiguration", "validatingwebhookconfigurations"),
    ("ValidatingAdmissionPolicy", "validatingadmissionpolicies"),
    ("ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings"),
)
_REVIEWS = frozenset({"authentication.k8s.io", "authorization.k8s.io"})
"""Kinds that are answered, not stored: no policy is asked about them."""


@dataclass(frozen=True, slots=True)
class Concerned:
    mutating: tuple[Webhook, ...] = ()
    validating: tuple[Webhook, ...] = ()
    policies: tuple[Policy, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.mutating or self.validating or self.policies)


_NOTHING = Concerned()
_State = tuple[tuple[Object, ...], ...]


class Index:
    """For the event loop."""

    def __init__(self, equivalents: Equivalents, generation: Callable[[], int]) -> None:
        """`generation` changes whenever the kinds that are served do."""
        self._mirrors = tuple(
            Mirror(Resource(_GROUP, "v1", kind, plural, namespaced=False)) for kind, plural in _KINDS
        )
        self._equivalents = equivalents
        self._generation = generation
        self._state: _State = ((),) * len(_KINDS)
        self._all = _NOTHING
        self._known: dict[tuple[str, Resource, str], Concerned] = {}
        self._known_at = -1

    def follow(self, storage: Storage) -> None:
        for mirror in self._mirrors:
            mirror.follow(storage)

    def about(self, operation: str, resource: Resource, subresource: str) -> Concerned:
        """Those whose rules may match; selectors and conditions are asked later."""
        state = tuple(mirror.of("") for mirror in self._mirrors)
        if any(now is not before for now, before in zip(state, self._state, strict=True)):
            self._compile(state)
        if not self._all or is_exempt(resource):
            return _NOTHING
        if self._known_at != (generation := self._generation()):
            self._known, self._known_at = {}, generation
        key = operation, resource, subresource
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._find(*key)
        return found

    def _compile(self, state: _State) -> None:
        mutating, validating, policies, bindings = (sorted(each, key=meta.name) for each in state)
        self._all = Concerned(
            tuple(webhook for each in mutating for webhook in webhooks_of(each)),
            tuple(webhook for each in validating for webhook in webhooks_of(each)),
            tuple(policies_of(policies, bindings)),
        )
        self._known, self._state = {}, state

    def _find(self, operation: str, resource: Resource, subresource: str) -> Concerned:
        versions = {resource, *self._equivalents(resource)}

        def may_match(matcher: Matcher) -> bool:
            return any(
                rule.may_match(operation, version, subresource)
                for rule in matcher.rules
                for version in (versions if matcher.equivalent else (resource,))
            )

        def among(webhooks: Iterable[Webhook]) -> tuple[Webhook, ...]:
            return tuple(each for each in webhooks if may_match(each.matcher))

        policies = () if resource.group in _REVIEWS else self._all.policies
        return Concerned(
            among(self._all.mutating),
            among(self._all.validating),
            tuple(each for each in policies if may_match(each.matcher)),
        )
