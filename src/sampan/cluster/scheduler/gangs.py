"""Groups of pods of which all start, or none. Pure.

`group_of` says to which PodGroup a pod belongs, as the coscheduling plugin and as Volcano mark it. `Gangs` counts the
members of each. Nothing is held for a gang that cannot start yet: its pods get their places in one go, so that two
gangs can never wait for each other.

Source: kubernetes-sigs/scheduler-plugins pkg/coscheduling, v0.32; volcano-sh/volcano pkg/scheduler/plugins/gang,
vendor/volcano.sh/apis/pkg/apis/scheduling/v1beta1/labels.go, v1.12.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from sampan.client.protocol import Object
from sampan.cluster.scheduler.demand import Amounts, amounts
from sampan.cluster.scheduler.node import Node
from sampan.kube import meta
from sampan.kube.kinds import POD_GROUPS, VOLCANO_POD_GROUPS


class GroupKey(NamedTuple):
    """Which PodGroup."""

    api_group: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"PodGroup {self.namespace}/{self.name}"


_COSCHEDULING = ("scheduling.x-k8s.io/pod-group", "pod-group.scheduling.sigs.k8s.io")
_VOLCANO = ("scheduling.k8s.io/group-name", "scheduling.volcano.sh/group-name")


def group_of(pod: Object) -> GroupKey | None:
    labels, annotations, namespace = meta.labels(pod), meta.annotations(pod), meta.namespace(pod)
    for key in _COSCHEDULING:
        if name := labels.get(key):
            return GroupKey(POD_GROUPS.group, namespace, str(name))
    for key in _VOLCANO:
        if name := annotations.get(key) or labels.get(key):
            return GroupKey(VOLCANO_POD_GROUPS.group, namespace, str(name))
    return None


@dataclass(frozen=True, slots=True)
class PodGroup:
    """What a PodGroup asks for."""

    min_member: int
    min_resources: Amounts = field(default_factory=dict)
    created: str = ""
    priority: int | None = None
    """Of all its pods, where the group names a class (Volcano's do)."""


def read_group(obj: Object, priority_of: Callable[[str], int | None]) -> PodGroup:
    """Raises ValueError, TypeError or AttributeError for what cannot be read. `priority_of`: of a PriorityClass."""
    spec = meta.spec(obj)
    # Volcano writes pods' requests as `requests.cpu` too, as a quota does; the plain names are the amounts.
    resources = {
        name: quantity
        for name, quantity in (spec.get("minResources") or {}).items()
        if not name.startswith("limits.")
    }
    plain = {name.removeprefix("requests."): quantity for name, quantity in resources.items()}
    created = str(meta.metadata(obj).get("creationTimestamp") or "")
    priority = priority_of(str(name)) if (name := spec.get("priorityClassName")) else None
    return PodGroup(int(spec.get("minMember") or 0), amounts(plain), created, priority)


@dataclass(slots=True)
class Gang:
    """One group and its pods. `group` None: there is no such PodGroup yet."""

    key: GroupKey
    group: PodGroup | None = None
    placed: set[str] = field(default_factory=set)
    """Uids of pods that have a node and stay there."""
    leaving: set[str] = field(default_factory=set)
    """Uids of those that are being stopped. They no longer count: who replaces them must not start alone."""
    succeeded: set[str] = field(default_factory=set)

    @property
    def least(self) -> int:
        """How many must be placed as long as any is."""
        return max((self.group.min_member if self.group else 0) - len(self.succeeded), 0)

    @property
    def needed(self) -> int:
        """How many more must start, if any do."""
        return max(self.least - len(self.placed), 0)

    def obstacle(self, waiting: int, nodes: list[Node]) -> str:
        """Why none of `waiting` members can start, whatever their nodes say; empty when they may try."""
        if self.group is None:
            return "PodGroup not found"
        if waiting < self.needed:
            present = waiting + len(self.placed) + len(self.succeeded)
            return (
                f"cannot find enough sibling pods, current pods number: {present}, "
                f"minMember of group: {self.group.min_member}"
            )
        if self.needed and not self.placed:
            short = [
                name
                for name, amount in self.group.min_resources.items()
                if name != "pods" and amount > sum(node.free(name) for node in nodes)
            ]
            if short:
                return (
                    f"cluster resource not enough for minResources of the group: {', '.join(sorted(short))}"
                )
        return ""


class Gangs:
    def __init__(self) -> None:
        self._gangs: dict[GroupKey, Gang] = {}
        self._of: dict[str, GroupKey] = {}
        """Pod uid to its group, for those that have a node or have succeeded."""

    def get(self, key: GroupKey) -> Gang:
        found = self._gangs.get(key)
        if found is None:
            found = self._gangs[key] = Gang(key)
        return found

    def define(self, key: GroupKey, group: PodGroup | None) -> None:
        """None when the PodGroup was deleted."""
        gang = self.get(key)
        gang.group = group
        self._drop_empty(gang)

    def of(self, uid: str) -> Gang | None:
        """The gang of a pod that has a node or has succeeded."""
        key = self._of.get(uid)
        return self._gangs.get(key) if key is not None else None

    def placed(self, key: GroupKey, uid: str) -> None:
        gang = self.get(key)
        gang.leaving.discard(uid)
        gang.placed.add(uid)
        self._of[uid] = key

    def leaving(self, key: GroupKey, uid: str) -> None:
        gang = self.get(key)
        gang.placed.discard(uid)
        gang.leaving.add(uid)
        self._of[uid] = key

    def succeeded(self, key: GroupKey, uid: str) -> None:
        gang = self.get(key)
        _discard(gang, uid)
        gang.succeeded.add(uid)
        self._of[uid] = key

    def gone(self, uid: str) -> None:
        key = self._of.pop(uid, None)
        if key is not None:
            gang = self.get(key)
            _discard(gang, uid)
            self._drop_empty(gang)

    def _drop_empty(self, gang: Gang) -> None:
        if gang.group is None and not (gang.placed or gang.leaving or gang.succeeded):
            self._gangs.pop(gang.key, None)


def _discard(gang: Gang, uid: str) -> None:
    for uids in (gang.placed, gang.leaving, gang.succeeded):
        uids.discard(uid)
