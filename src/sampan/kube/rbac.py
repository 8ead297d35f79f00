"""Role-based access control as data: its kinds, and what a rule allows, covers and adds up to. Pure.

Called by the API server's authorizer and by the controller of aggregated ClusterRoles.

Source: pkg/apis/rbac/v1/evaluation_helpers.go, k8s.io/component-helpers/auth/rbac/validation/policy_comparator.go,
v1.33.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sampan.kube import meta, selectors
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object

GROUP = "rbac.authorization.k8s.io"
ROLES = Resource(GROUP, "v1", "Role", "roles", singular="role", subresources=())
ROLE_BINDINGS = Resource(GROUP, "v1", "RoleBinding", "rolebindings", singular="rolebinding", subresources=())
CLUSTER_ROLES = Resource(
    GROUP, "v1", "ClusterRole", "clusterroles", namespaced=False, singular="clusterrole", subresources=()
)
CLUSTER_ROLE_BINDINGS = Resource(
    GROUP,
    "v1",
    "ClusterRoleBinding",
    "clusterrolebindings",
    namespaced=False,
    singular="clusterrolebinding",
    subresources=(),
)

_AUTHORIZATION, _AUTHENTICATION = "authorization.k8s.io", "authentication.k8s.io"


def _review(group: str, kind: str, *, namespaced: bool = False) -> Resource:
    plural = f"{kind.lower()}s"
    return Resource(
        group,
        "v1",
        kind,
        plural,
        namespaced=namespaced,
        singular=kind.lower(),
        subresources=(),
        verbs=("create",),
    )


TOKEN_REVIEWS = _review(_AUTHENTICATION, "TokenReview")
SELF_SUBJECT_REVIEWS = _review(_AUTHENTICATION, "SelfSubjectReview")
SUBJECT_ACCESS_REVIEWS = _review(_AUTHORIZATION, "SubjectAccessReview")
LOCAL_SUBJECT_ACCESS_REVIEWS = _review(_AUTHORIZATION, "LocalSubjectAccessReview", namespaced=True)
SELF_SUBJECT_ACCESS_REVIEWS = _review(_AUTHORIZATION, "SelfSubjectAccessReview")
SELF_SUBJECT_RULES_REVIEWS = _review(_AUTHORIZATION, "SelfSubjectRulesReview")

ALL = "*"


@dataclass(frozen=True, slots=True)
class Rule:
    """A PolicyRule. No names means any name; a rule is about resources or about URLs."""

    verbs: frozenset[str]
    groups: frozenset[str] = frozenset()
    resources: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    urls: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, rule: Mapping[str, Any]) -> Rule:
        def strings(key: str) -> frozenset[str]:
            return frozenset(each for each in rule.get(key) or () if isinstance(each, str))

        return cls(
            strings("verbs"),
            strings("apiGroups"),
            strings("resources"),
            strings("resourceNames"),
            strings("nonResourceURLs"),
        )

    def dump(self) -> Object:
        found: Object = {}
        for key, values in (
            ("apiGroups", self.groups),
            ("nonResourceURLs", self.urls),
            ("resourceNames", self.names),
            ("resources", self.resources),
            ("verbs", self.verbs),
        ):
            if values or key == "verbs":
                found[key] = sorted(values)
        return found

    def allows(self, verb: str, group: str, resource: str, subresource: str = "", name: str = "") -> bool:
        return (
            (verb in self.verbs or ALL in self.verbs)
            and (group in self.groups or ALL in self.groups)
            and _names_resource(self.resources, resource, subresource)
            and (not self.names or name in self.names)
        )

    def allows_url(self, verb: str, url: str) -> bool:
        return (verb in self.verbs or ALL in self.verbs) and _names_url(self.urls, url)

    def covers(self, other: Rule) -> bool:
        """Whether whoever has this rule has all of `other`, which names one of each at most."""
        if not (ALL in self.verbs or other.verbs <= self.verbs):
            return False
        if other.urls:
            return all(_names_url(self.urls, url) for url in other.urls)
        return (
            (ALL in self.groups or other.groups <= self.groups)
            and all(_names_resource(self.resources, *_split(each)) for each in other.resources)
            and (not self.names or (bool(other.names) and other.names <= self.names))
        )

    def parts(self) -> Iterator[Rule]:
        """The same rights as rules with one verb and one group, resource, name or URL each."""
        for verb in sorted(self.verbs):
            for url in sorted(self.urls):
                yield Rule(frozenset((verb,)), urls=frozenset((url,)))
            for group in sorted(self.groups):
                for resource in sorted(self.resources):
                    names: Iterable[Iterable[str]] = [(name,) for name in sorted(self.names)] or [()]
                    for each in names:
                        yield Rule(
                            frozenset((verb,)),
                            frozenset((group,)),
                            frozenset((resource,)),
                            frozenset(each),
                        )


def _split(resource: str) -> tuple[str, str]:
    name, _, subresource = resource.partition("/")
    return name, subresource


def _names_resource(named: frozenset[str], resource: str, subresource: str) -> bool:
    if ALL in named:
        return True
    if not subresource:
        return resource in named
    return f"{resource}/{subresource}" in named or f"*/{subresource}" in named


def _names_url(named: frozenset[str], url: str) -> bool:
    if url in named or ALL in named:
        return True
    return any(each.endswith(ALL) and url.startswith(each.rstrip(ALL)) for each in named)


def rules_of(role: Object) -> tuple[Rule, ...]:
    """Of a Role or ClusterRole. What cannot be read gives no right."""
    return tuple(Rule.parse(rule) for rule in role.get("rules") or () if isinstance(rule, dict))


def missing(held: Iterable[Rule], wanted: Iterable[Rule]) -> list[Rule]:
    """Those parts of `wanted` that `held` does not cover, put together again by what they are about."""
    owned = tuple(held)
    lacking: dict[tuple[frozenset[str], ...], Rule] = {}
    for rule in wanted:
        for part in rule.parts():
            if any(own.covers(part) for own in owned):
                continue
            about = (part.groups, part.resources, part.names, part.urls)
            known = lacking.get(about)
            lacking[about] = part if known is None else replace(part, verbs=known.verbs | part.verbs)
    return list(lacking.values())


def shown(rule: Rule) -> str:
    """As error messages write a rule."""
    parts = [
        f"{key}:[{' '.join(_quoted(each) for each in sorted(values))}]"
        for key, values in (
            ("APIGroups", rule.groups),
            ("Resources", rule.resources),
            ("NonResourceURLs", rule.urls),
            ("ResourceNames", rule.names),
            ("Verbs", rule.verbs),
        )
        if values
    ]
    return "{" + ", ".join(parts) + "}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def aggregated(role: Object, others: Iterable[Object]) -> list[Object] | None:
    """The rules that a ClusterRole with an aggregationRule should have; None for one without."""
    rule = role.get("aggregationRule")
    if not isinstance(rule, dict):
        return None
    rules: list[Object] = []
    wanted = rule.get("clusterRoleSelectors") or ()
    chosen = [selectors.from_object(each) for each in wanted]
    for other in sorted(others, key=meta.name):
        if meta.name(other) == meta.name(role):
            continue
        if any(selector.matches(meta.labels(other)) for selector in chosen):
            rules += [each for each in other.get("rules") or () if each not in rules]
    return rules
