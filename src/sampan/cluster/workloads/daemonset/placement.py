"""On which nodes a DaemonSet's pods belong, and the pod for one of them. Pure.

Source: pkg/controller/daemon/daemon_controller.go (NodeShouldRunDaemonPod), util/daemonset_util.go, v1.33.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass

from sampan.client.protocol import Object
from sampan.cluster.scheduler.constraints import Taint
from sampan.cluster.scheduler.demand import Demand, demand_of
from sampan.cluster.workloads.podcontrol import from_template
from sampan.kube import meta, pods

REVISION = "controller-revision-hash"
_TOLERATED = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)
_WITHOUT_NETWORK = ("node.kubernetes.io/network-unavailable", "NoSchedule")


@dataclass(frozen=True, slots=True)
class Verdict:
    should_run: bool
    may_stay: bool


_UNREADABLE = (ValueError, TypeError, AttributeError, KeyError)


def judge(daemon_set: Object, nodes: Iterable[Object]) -> dict[str, Verdict]:
    """By the node's name. A node that cannot be read gets nothing and keeps what it has.

    Raises ValueError, TypeError or AttributeError for a template that cannot be read.
    """
    pod = {"spec": _spec(daemon_set)}
    wanted = demand_of(pod)
    result = {}
    for node in nodes:
        try:
            result[meta.name(node)] = _judge_one(pod, wanted, node)
        except _UNREADABLE:
            result[meta.name(node)] = Verdict(False, True)
    return result


def _judge_one(pod: Object, wanted: Demand, node: Object) -> Verdict:
    name, labels = meta.name(node), meta.labels(node)
    fits = (
        pods.node_name(pod) in ("", name)
        and all(labels.get(key) == value for key, value in wanted.node_selector.items())
        and (wanted.affinity is None or any(term.matches(name, labels) for term in wanted.affinity))
    )
    if not fits:
        return Verdict(False, False)
    against = [
        taint.effect
        for taint in map(Taint.read, meta.spec(node).get("taints") or ())
        if taint.effect in ("NoSchedule", "NoExecute")
        and not any(each.tolerates(taint) for each in wanted.tolerations)
    ]
    return Verdict(not against, "NoExecute" not in against)


def desired(daemon_set: Object, node: str, revision: str) -> Object:
    """The pod for `node`, which the scheduler then puts there."""
    pod = from_template(daemon_set, meta.spec(daemon_set).get("template") or {})
    pod["metadata"]["labels"][REVISION] = revision
    spec = pod["spec"] = _spec(daemon_set)
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    affinity = spec.setdefault("affinity", {})
    # What the template demanded of nodes has been looked at; this one is meant.
    affinity.setdefault("nodeAffinity", {})["requiredDuringSchedulingIgnoredDuringExecution"] = {
        "nodeSelectorTerms": [{"matchFields": [field]}]
    }
    return pod


def node_of(pod: Object) -> str:
    """Where it runs, or is meant to."""
    if name := pods.node_name(pod):
        return name
    affinity = meta.lookup(pod, "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution")
    for term in (affinity or {}).get("nodeSelectorTerms") or ():
        for field in term.get("matchFields") or ():
            if field.get("key") == "metadata.name" and len(field.get("values") or ()) == 1:
                return str(field["values"][0])
    return ""


def _spec(daemon_set: Object) -> Object:
    spec: Object = deepcopy((meta.spec(daemon_set).get("template") or {}).get("spec") or {})
    tolerated = (*_TOLERATED, *((_WITHOUT_NETWORK,) if spec.get("hostNetwork") else ()))
    added = [{"key": key, "operator": "Exists", "effect": effect} for key, effect in tolerated]
    held = spec.get("tolerations") or []
    spec["tolerations"] = [*held, *(each for each in added if each not in held)]
    return spec
