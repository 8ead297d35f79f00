"""Whether a webhook's or a policy's rules and selectors are about a write. Pure.

Source: k8s.io/apiserver/pkg/admission/plugin/webhook/predicates/{rules,namespace,object}, v1.33.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sampan.cluster.apiserver.admission.dynamic.subject import Objects, Subject
from sampan.kube import meta, selectors
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object
from sampan.kube.selectors import LabelSelector

NamespaceOf = Callable[[str], Object | None]
Equivalents = Callable[[Resource], Iterable[Resource]]
"""The other served versions of a kind."""
_EXEMPT = "admissionregistration.k8s.io"


@dataclass(frozen=True, slots=True)
class Rule:
    operations: frozenset[str]
    groups: frozenset[str]
    versions: frozenset[str]
    resources: tuple[tuple[str, str], ...]
    scope: str
    names: frozenset[str] = frozenset()
    """Of policies only; empty for any."""

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Rule:
        parts = [str(each).partition("/") for each in raw.get("resources") or ()]
        return cls(
            frozenset(raw.get("operations") or ()),
            frozenset(raw.get("apiGroups") or ()),
            frozenset(raw.get("apiVersions") or ()),
            tuple((plural, subresource) for plural, _, subresource in parts),
            str(raw.get("scope") or "*"),
            frozenset(raw.get("resourceNames") or ()),
        )

    def may_match(self, operation: str, resource: Resource, subresource: str) -> bool:
        return (
            _holds(self.operations, operation)
            and _holds(self.groups, resource.group)
            and _holds(self.versions, resource.version)
            and any(
                plural in ("*", resource.plural) and sub in ("*", subresource)
                for plural, sub in self.resources
            )
        )

    def matches(self, subject: Subject, resource: Resource) -> bool:
        """`resource` may be another version of the subject's."""
        return (
            self.may_match(subject.operation, resource, subject.subresource)
            and self._in_scope(subject)
            and (not self.names or subject.name in self.names)
        )

    def _in_scope(self, subject: Subject) -> bool:
        if self.scope == "*":
            return True
        namespaced = bool(subject.namespace) and not subject.is_namespace
        return namespaced if self.scope == "Namespaced" else not namespaced and self.scope == "Cluster"


def _holds(words: frozenset[str], wanted: str) -> bool:
    return wanted in words or "*" in words


def is_exempt(resource: Resource) -> bool:
    """What configures admission is never subject to it, or a mistake in it could not be mended."""
    return resource.group == _EXEMPT


@dataclass(frozen=True, slots=True)
class Matcher:
    rules: tuple[Rule, ...]
    excluded: tuple[Rule, ...]
    namespaces: LabelSelector | None
    objects: LabelSelector | None
    equivalent: bool

    @classmethod
    def of(cls, raw: Mapping[str, Any], rules: Iterable[Any], excluded: Iterable[Any] = ()) -> Matcher:
        """Raises BadRequestError for a selector that cannot be read."""
        return cls(
            tuple(Rule.of(each) for each in rules),
            tuple(Rule.of(each) for each in excluded),
            _selector(raw.get("namespaceSelector")),
            _selector(raw.get("objectSelector")),
            raw.get("matchPolicy") != "Exact",
        )

    def resource(self, subject: Subject, equivalents: Equivalents) -> Resource | None:
        """The version that a rule names, the request's own before others; None where no rule matches."""
        if self.is_excluded(subject, equivalents):
            return None
        return self._first(self.rules, subject, equivalents)

    def is_excluded(self, subject: Subject, equivalents: Equivalents) -> bool:
        return self._first(self.excluded, subject, equivalents) is not None

    def _first(self, rules: tuple[Rule, ...], subject: Subject, equivalents: Equivalents) -> Resource | None:
        if any(rule.matches(subject, subject.resource) for rule in rules):
            return subject.resource
        if self.equivalent:
            others = [each for each in equivalents(subject.resource) if each != subject.resource]
            for rule in rules:
                for other in others:
                    if rule.matches(subject, other):
                        return other
        return None

    def selects(self, subject: Subject, objects: Objects, namespace_of: NamespaceOf) -> bool:
        return self._selects_namespace(subject, objects, namespace_of) and (
            self.objects is None
            or any(
                each is not None and self.objects.matches(meta.labels(each))
                for each in (objects.new, objects.old)
            )
        )

    def _selects_namespace(self, subject: Subject, objects: Objects, namespace_of: NamespaceOf) -> bool:
        if self.namespaces is None or not (subject.namespace or subject.is_namespace):
            return True
        if subject.is_namespace and not subject.subresource and objects.new is not None:
            found: Object | None = objects.new
        else:
            found = namespace_of(subject.namespace)
        return self.namespaces.matches(meta.labels(found or {}))


def _selector(raw: Mapping[str, Any] | None) -> LabelSelector | None:
    """None for one that selects everything."""
    if not raw or not (raw.get("matchLabels") or raw.get("matchExpressions")):
        return None
    return selectors.from_object(raw)
