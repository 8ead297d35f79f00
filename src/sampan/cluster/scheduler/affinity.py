"""Pod affinity, pod anti-affinity and topology spread: what a pod asks of its neighbours. Pure.

A pod's terms are read once (`read_affinity`, `read_spread`). Matching looks at the label groups of nodes, not at
their pods: many pods have the same labels.

Source: kubernetes/pkg/scheduler/framework/plugins/{interpodaffinity,podtopologyspread}, v1.34.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sampan.kube import meta, selectors
from sampan.kube.errors import BadRequestError
from sampan.kube.requirements import Requirement
from sampan.kube.selectors import LabelSelector

Labels = Mapping[str, str]
Group = tuple[str, frozenset[tuple[str, str]], bool]
"""Pods that look the same to every selector: their namespace, their labels, and whether they are on their way out."""

AFFINITY = "node(s) didn't match pod affinity rules"
ANTI_AFFINITY = "node(s) didn't match pod anti-affinity rules"
OTHERS_ANTI_AFFINITY = "node(s) didn't satisfy existing pods anti-affinity rules"
SPREAD = "node(s) didn't match pod topology spread constraints"
SPREAD_LABEL = f"{SPREAD} (missing required label)"


class Place(Protocol):
    """What is needed of a node here."""

    @property
    def labels(self) -> Labels: ...
    @property
    def groups(self) -> Mapping[Group, int]: ...
    @property
    def repelled(self) -> Mapping[PodTerm, int]: ...


@dataclass(frozen=True, slots=True)
class PodTerm:
    """Pods of some namespaces that a selector matches, in one domain of a topology."""

    topology_key: str
    selector: LabelSelector | None
    """None matches nothing."""
    namespaces: frozenset[str]
    namespace_selector: LabelSelector | None
    """None matches no further namespace."""

    def matches(self, namespace: str, labels: Labels, namespaces: Mapping[str, Labels]) -> bool:
        if self.selector is None:
            return False
        if namespace not in self.namespaces and (
            self.namespace_selector is None
            or not self.namespace_selector.matches(namespaces.get(namespace, {}))
        ):
            return False
        return self.selector.matches(labels)


@dataclass(frozen=True, slots=True)
class Spread:
    """One DoNotSchedule constraint."""

    max_skew: int
    topology_key: str
    selector: LabelSelector | None
    min_domains: int
    honors_affinity: bool
    honors_taints: bool
    matches_itself: bool


@dataclass(frozen=True, slots=True)
class Neighbours:
    """All that a pod asks of others."""

    near: tuple[PodTerm, ...] = ()
    apart: tuple[PodTerm, ...] = ()
    spread: tuple[Spread, ...] = ()
    near_itself: bool = False
    """Whether the pod matches all its own affinity terms: the first of a group may go anywhere."""


NOBODY = Neighbours()


def read_neighbours(pod: Mapping[str, Any]) -> Neighbours:
    """Raises ValueError, TypeError or AttributeError for what cannot be read."""
    spec, labels, namespace = meta.spec(pod), meta.labels(pod), meta.namespace(pod)
    affinity = spec.get("affinity") or {}
    constraints = spec.get("topologySpreadConstraints") or ()
    if not affinity and not constraints:
        return NOBODY
    near = _terms(affinity.get("podAffinity"), namespace, labels)
    apart = _terms(affinity.get("podAntiAffinity"), namespace, labels)
    spread = tuple(
        _spread(each, labels)
        for each in constraints
        if (each.get("whenUnsatisfiable") or "DoNotSchedule") == "DoNotSchedule"
    )
    itself = all(each.matches(namespace, labels, {namespace: {}}) for each in near)
    return Neighbours(near, apart, spread, bool(near) and itself)


def label_keys(neighbours: Neighbours) -> Iterable[str]:
    """The labels by which the pod keeps others away."""
    for term in neighbours.apart:
        for requirement in term.selector.requirements if term.selector else ():
            yield requirement.key


def affinity_reason(
    namespace: str, labels: Labels, wanted: Neighbours, place: Place, world: Neighbourhood
) -> str:
    """Why a pod may not go to `place` for its neighbours' sake; empty when it may."""
    if wanted.near and not _is_near(wanted, place, world):
        return AFFINITY
    for term in wanted.apart:
        if world.count(place, term.topology_key, lambda group, term=term: world.matches(term, group)):  # type: ignore[misc]
            return ANTI_AFFINITY
    for other in world.places:
        for term in other.repelled:
            value = other.labels.get(term.topology_key)
            if (
                value is not None
                and value == place.labels.get(term.topology_key)
                and term.matches(namespace, labels, world.namespaces)
            ):
                return OTHERS_ANTI_AFFINITY
    return ""


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """All nodes, and the labels of all namespaces."""

    places: Sequence[Place]
    namespaces: Mapping[str, Labels]

    def matches(self, term: PodTerm, group: Group) -> bool:
        return term.matches(group[0], dict(group[1]), self.namespaces)

    def count(self, place: Place, key: str, chosen: Callable[[Group], bool]) -> int:
        """How many pods of the `chosen` groups share the topology domain of `place`."""
        value = place.labels.get(key)
        if value is None:
            return 0
        return sum(
            number
            for each in self.places
            if each.labels.get(key) == value
            for group, number in each.groups.items()
            if chosen(group)
        )


def spread_reason(namespace: str, constraint: Spread, place: Place, eligible: Sequence[Place]) -> str:
    """`eligible`: the nodes whose domains count."""
    key = constraint.topology_key
    if place.labels.get(key) is None:
        return SPREAD_LABEL
    domains: dict[str, int] = {each.labels[key]: 0 for each in eligible}
    for each in eligible:
        for (where, labels, is_leaving), number in each.groups.items():
            if where == namespace and not is_leaving and _selected(constraint.selector, labels):
                domains[each.labels[key]] += number
    fewest = min(domains.values(), default=0)
    if len(domains) < constraint.min_domains:
        fewest = 0
    here = domains.get(place.labels[key], 0) + (1 if constraint.matches_itself else 0)
    return SPREAD if here - fewest > constraint.max_skew else ""


def _selected(selector: LabelSelector | None, labels: frozenset[tuple[str, str]]) -> bool:
    return selector is not None and selector.matches(dict(labels))


def _is_near(wanted: Neighbours, place: Place, world: Neighbourhood) -> bool:
    if any(place.labels.get(term.topology_key) is None for term in wanted.near):
        return False

    def company(group: Group) -> bool:
        return all(world.matches(term, group) for term in wanted.near)

    if all(world.count(place, term.topology_key, company) for term in wanted.near):
        return True
    anywhere = any(
        company(group)
        for each in world.places
        if any(term.topology_key in each.labels for term in wanted.near)
        for group in each.groups
    )
    return wanted.near_itself and not anywhere


def _terms(affinity: Mapping[str, Any] | None, namespace: str, labels: Labels) -> tuple[PodTerm, ...]:
    required = (affinity or {}).get("requiredDuringSchedulingIgnoredDuringExecution") or ()
    return tuple(_term(each, namespace, labels) for each in required)


def _term(term: Mapping[str, Any], namespace: str, labels: Labels) -> PodTerm:
    selector = _selector(term.get("labelSelector"))
    if selector is not None:
        more = [
            Requirement(key, operator, frozenset({labels[key]}))
            for field, operator in (("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn"))
            for key in term.get(field) or ()
            if key in labels
        ]
        selector = LabelSelector((*selector.requirements, *more))
    names = frozenset(map(str, term.get("namespaces") or ()))
    by_labels = _selector(term.get("namespaceSelector"))
    if not names and by_labels is None:
        names = frozenset({namespace})
    return PodTerm(str(term.get("topologyKey") or ""), selector, names, by_labels)


def _spread(constraint: Mapping[str, Any], labels: Labels) -> Spread:
    selector = _selector(constraint.get("labelSelector"))
    if selector is not None:
        own = [
            Requirement(key, "In", frozenset({labels[key]}))
            for key in constraint.get("matchLabelKeys") or ()
            if key in labels
        ]
        selector = LabelSelector((*selector.requirements, *own))
    return Spread(
        max_skew=int(constraint.get("maxSkew") or 1),
        topology_key=str(constraint.get("topologyKey") or ""),
        selector=selector,
        min_domains=int(constraint.get("minDomains") or 1),
        honors_affinity=constraint.get("nodeAffinityPolicy") != "Ignore",
        honors_taints=constraint.get("nodeTaintsPolicy") == "Honor",
        matches_itself=selector is not None and selector.matches(labels),
    )


def _selector(selector: Mapping[str, Any] | None) -> LabelSelector | None:
    if selector is None:
        return None
    try:
        return selectors.from_object(selector)
    except BadRequestError as error:
        raise ValueError(error.message) from error
