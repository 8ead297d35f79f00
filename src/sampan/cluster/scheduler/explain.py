"""Why a pod waits, in a sentence of our own behind Kubernetes' words: what holds it, and what would free it. Pure.

Computed when somebody is about to be told, from the nodes as they are then.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from itertools import islice

from sampan.cluster.scheduler.constraints import tolerated
from sampan.cluster.scheduler.filters import CORDONED, fits, is_selected
from sampan.cluster.scheduler.node import Node, Tenant
from sampan.cluster.scheduler.placer import Parked
from sampan.cluster.scheduler.world import World
from sampan.kube import quantities

_HOLDERS = 3
"""Who holds most is named, not everybody."""


def headline(parked: Parked) -> str:
    """As Kubernetes says it."""
    room = f" preemption: {parked.preemption}" if parked.preemption else ""
    return f"{parked.refused.headline}{room}"


def detail(parked: Parked, tenant: Tenant, world: World) -> str:
    """Empty where there is nothing to add."""
    sentences = []
    if parked.gang is not None:
        sentences.append(_of_gang(parked, tenant, world.known()))
    sentences.append(parked.advice)
    if not parked.obstacle and parked.refused.nodes:
        sentences += islice(_of_doors(tenant, world.known()), _HOLDERS)
        sentences += _of_nodes(tenant, world.known())
        sentences += _of_promise(tenant, world.known())
        sentences += _of_kept(tenant, world.known())
    return " ".join(filter(None, sentences))


def _of_gang(parked: Parked, tenant: Tenant, nodes: list[Node]) -> str:
    gang = parked.gang
    assert gang is not None
    name = str(gang.key)
    if gang.group is None:
        return f"The pod belongs to {name}, which does not exist; create it, or remove the mark from the pod."
    started = len(gang.placed) + len(gang.succeeded)
    missing = gang.needed - parked.waiting
    if missing > 0:
        return (
            f"{name} starts all of {gang.group.min_member} pods or none: {parked.waiting} wait, {started} started, "
            f"{missing} are still to be created."
        )
    if gang.needed:
        return (
            f"{name} starts all of {gang.group.min_member} pods or none: {parked.waiting} wait, and there is no room "
            f"for {gang.needed} of them at once{_together(gang.needed, tenant, nodes)}."
        )
    return f"{name} has enough pods running; this one is beyond its minMember of {gang.group.min_member}."


def _together(needed: int, tenant: Tenant, nodes: list[Node]) -> str:
    """What so many pods like this one need and what is free, where that alone explains it."""
    short = [
        f"{amount(name, wanted * needed)} {name}, {amount(name, max(free, 0))} of "
        f"{amount(name, sum(node.allocatable.get(name, 0) for node in nodes))} free"
        for name, wanted in sorted(tenant.demand.requests.items())
        if wanted and wanted * needed > (free := sum(node.free(name) for node in nodes))
    ]
    return f": {needed} such pods need {'; '.join(short)}" if short else ""


def _of_doors(tenant: Tenant, nodes: list[Node]) -> Iterable[str]:
    """Nodes that are closed to the pod, whatever is free there."""
    demand = tenant.demand
    for node in nodes:
        if node.unschedulable and not tolerated(CORDONED, demand.tolerations):
            yield f"Node {node.name} is cordoned; `kubectl uncordon {node.name}` opens it."
        elif closed := [
            taint.key
            for taint in node.taints
            if taint.effect in ("NoSchedule", "NoExecute") and not tolerated(taint, demand.tolerations)
        ]:
            yield f"Node {node.name} takes only pods that tolerate {', '.join(closed)}."
        elif busy := [port for port in demand.ports if node.is_taken(port)]:
            holders = sorted(
                f"{other.namespace}/{other.name}"
                for other in node.tenants.values()
                if {number for _, _, number in other.demand.ports} & {number for _, _, number in busy}
            )
            named = ", ".join(str(number) for _, _, number in busy)
            yield f"Port {named} of node {node.name} is held by {', '.join(holders[:_HOLDERS])}."
    if not any(is_selected(demand, node) for node in nodes):
        labels = ", ".join(f"{key}={value}" for key, value in sorted(demand.node_selector.items()))
        wanted = labels or "its node affinity"
        yield f"No node matches {wanted}; `kubectl label nodes NAME KEY=VALUE` would change that."


def _of_nodes(tenant: Tenant, nodes: list[Node]) -> Iterable[str]:
    never = list(_never(tenant, nodes))
    if never:
        yield f"This cannot change by itself ({'; '.join(never)})."
        return
    short = [(found, node) for node in nodes if (found := _deficits(tenant, node)) is not None]
    if not short:
        return
    # The node that lacks least.
    lacking, node = min(short, key=lambda each: (len(each[0]), sum(each[0].values()), each[1].name))
    for name, amount in lacking.items():
        if name == "pods":
            yield f"Node {node.name} runs {node.pods} pods, as many as it may; one must end."
        else:
            yield _shortage(tenant, node, name, amount)


def _deficits(tenant: Tenant, node: Node) -> dict[str, int] | None:
    """How much more of what would have to be free; None where it is something else that keeps the pod away."""
    alone = Node(node.name)
    alone.labels, alone.taints, alone.unschedulable = node.labels, node.taints, node.unschedulable
    alone.allocatable, alone.known = node.allocatable, True
    if fits(tenant.demand, alone, World({node.name: alone})) and not tenant.demand.neighbours.near:
        return None
    lacking = {
        name: amount - node.free(name)
        for name, amount in tenant.demand.requests.items()
        if amount > 0 and amount > node.free(name)
    }
    if node.pods >= node.allocatable.get("pods", node.pods + 1):
        lacking["pods"] = 1
    return lacking or None


def _shortage(tenant: Tenant, node: Node, name: str, lacking: int) -> str:
    holders = sorted(
        (other for other in node.tenants.values() if other.demand.requests.get(name)),
        key=lambda other: (-other.demand.requests[name], other.namespace, other.name),
    )
    named = ", ".join(
        f"{other.namespace}/{other.name} {amount(name, other.demand.requests[name])}"
        + (" (ending)" if other.is_leaving else "")
        for other in holders[:_HOLDERS]
    )
    more = len(holders) - _HOLDERS
    others = f" and {more} more" if more > 0 else ""
    held = f", held by {named}{others}" if named else ""
    return (
        f"It needs {amount(name, tenant.demand.requests[name])} {name}; {amount(name, max(node.free(name), 0))} of "
        f"{amount(name, node.allocatable.get(name, 0))} on node {node.name} is free{held}. It can start when "
        f"{amount(name, lacking)} more is free."
    )


def _of_promise(tenant: Tenant, nodes: list[Node]) -> Iterable[str]:
    for node in nodes:
        if tenant.uid in node.nominated:
            leaving = [
                f"{other.namespace}/{other.name}"
                for other in node.tenants.values()
                if other.is_leaving and other.demand.priority < tenant.demand.priority
            ]
            if leaving:
                yield f"Pods of lower priority are being stopped for it: {', '.join(sorted(leaving)[:_HOLDERS])}."


def _of_kept(tenant: Tenant, nodes: list[Node]) -> Iterable[str]:
    for node in nodes if tenant.demand.ends else ():
        kept = [
            other
            for other in node.kept.values()
            if other.uid not in node.tenants and other.demand.priority >= tenant.demand.priority
        ]
        if not kept:
            continue
        if tenant.uid in node.kept:
            yield f"The next room on node {node.name} is kept for it."
        else:
            named = ", ".join(sorted(f"{other.namespace}/{other.name}" for other in kept)[:_HOLDERS])
            yield f"The next room on node {node.name} is kept for {named}, which waited long enough."


def _never(tenant: Tenant, nodes: list[Node]) -> Iterable[str]:
    """What no waiting can free: the pod asks for more than the largest node has."""
    for name, wanted in sorted(tenant.demand.requests.items()):
        most = max(node.allocatable.get(name, 0) for node in nodes)
        if wanted > most:
            yield f"{name}: {amount(name, wanted)} requested, {amount(name, most)} at most on a node"


def amount(name: str, value: int) -> str:
    """As Kubernetes writes it: `1500m`, `4Gi`, `2`."""
    if name == "cpu":
        return quantities.format_decimal(Decimal(value) / 1000)
    if name in ("memory", "ephemeral-storage") or name.startswith("hugepages-"):
        return quantities.format_binary(value)
    return str(value)


def of_gates(gates: Iterable[object]) -> str:
    """`gates`: the names of a pod's scheduling gates."""
    named = ", ".join(map(str, gates))
    return (
        f"Scheduling is blocked due to non-empty scheduling gates. Who set them has to remove them: {named}."
    )
