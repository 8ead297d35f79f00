"""What makes pods, and where they run: Deployments, StatefulSets, DaemonSets, Jobs, CronJobs, Nodes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sampan.dashboard.kubernetes import tables
from sampan.dashboard.kubernetes.described import Around, Description, Grid, Object, name_of, namespace_of
from sampan.dashboard.kubernetes.facts import Fact, Section, fact, tag
from sampan.ui.objects import amounts, health
from sampan.ui.table import cells
from sampan.ui.table.table import Column, Row


def deployment(obj: Object, around: Around) -> Description:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    strategy = spec.get("strategy") or {}
    rolling = strategy.get("rollingUpdate") or {}
    how = {"Recreate": "all at once: the old ones end first"}.get(
        str(strategy.get("type")),
        f"step by step: at most {rolling.get('maxUnavailable', '25%')} missing, {rolling.get('maxSurge', '25%')} more",
    )
    facts = [
        *_replicas(obj),
        *fact("Of the newest version", _count(status.get("updatedReplicas"), spec.get("replicas", 1))),
        *fact("Changes", how),
        *fact("Paused", "yes: changes wait until it is resumed" if spec.get("paused") else ""),
    ]
    versions = owned_grid("Versions", "replicasets", obj, around)
    return Description([Section("Rollout", [*facts, *_template(spec)])], [*pods_grid(around), *versions])


def stateful_set(obj: Object, around: Around) -> Description:
    spec = obj.get("spec") or {}
    service = str(spec.get("serviceName") or "")
    facts = [
        *_replicas(obj),
        *fact("Service", around.link("services", service, namespace_of(obj)) if service else ""),
        *fact("Volumes for each", *(tag(name_of(each)) for each in spec.get("volumeClaimTemplates") or ())),
    ]
    return Description([Section("Replicas", [*facts, *_template(spec)])], pods_grid(around))


def daemon_set(obj: Object, around: Around) -> Description:
    status, spec = obj.get("status") or {}, obj.get("spec") or {}
    wanted = status.get("desiredNumberScheduled") or 0
    facts = [
        *fact("Nodes", f"{wanted} should run it"),
        *fact("Ready", _count(status.get("numberReady"), wanted)),
    ]
    return Description([Section("Replicas", [*facts, *_template(spec)])], pods_grid(around))


def replica_set(obj: Object, around: Around) -> Description:
    return Description(
        [Section("Replicas", [*_replicas(obj), *_template(obj.get("spec") or {})])], pods_grid(around)
    )


def job(obj: Object, around: Around) -> Description:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    wanted = spec.get("completions") or 1
    started, ended = status.get("startTime") or "", status.get("completionTime") or ""
    facts = [
        *fact("Ended well", f"{status.get('succeeded') or 0} of {wanted}"),
        *fact("Failed", str(status["failed"]) if status.get("failed") else ""),
        *fact("Running now", str(status["active"]) if status.get("active") else ""),
        *fact("At once", str(spec.get("parallelism") or 1)),
        *fact("Gives up after", f"{spec.get('backoffLimit', 6)} failures"),
        *fact("Time limit", _seconds(spec.get("activeDeadlineSeconds"))),
        *fact("Started", cells.time(started) if started else ""),
        *fact("Ended", cells.time(ended) if ended else ""),
        *fact("Is deleted", _after(spec.get("ttlSecondsAfterFinished"))),
    ]
    return Description([Section("Progress", [*facts, *_template(spec)])], pods_grid(around))


def cron_job(obj: Object, around: Around) -> Description:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    last, good = status.get("lastScheduleTime"), status.get("lastSuccessfulTime")
    policy = {
        "Allow": "starts beside it",
        "Forbid": "is left out",
        "Replace": "takes its place",
    }.get(str(spec.get("concurrencyPolicy") or "Allow"), "")
    facts = [
        *fact("Schedule", cells.mono(str(spec.get("schedule") or ""))),
        *fact("Time zone", spec.get("timeZone") or "that of the cluster's control plane"),
        *fact("Suspended", "yes: nothing is started" if spec.get("suspend") else ""),
        *fact("If the one before still runs", f"the next {policy}"),
        *fact("Last started", cells.time(last) if last else "never yet"),
        *fact("Last ended well", cells.time(good) if good else ""),
    ]
    template = ((spec.get("jobTemplate") or {}).get("spec")) or {}
    return Description(
        [Section("Schedule", [*facts, *_template(template)])], owned_grid("Jobs", "jobs", obj, around)
    )


def node(obj: Object, around: Around) -> Description:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    info = status.get("nodeInfo") or {}
    taints = [
        f"{each.get('key')}{'=' + each['value'] if each.get('value') else ''}: {each.get('effect')}"
        for each in spec.get("taints") or ()
    ]
    about = Section(
        "Machine",
        [
            *fact("Takes new pods", "no, it is cordoned" if spec.get("unschedulable") else "yes"),
            *fact("Addresses", *(each.get("address") for each in status.get("addresses") or ())),
            *fact("System", f"{info.get('osImage', '')}, {info.get('architecture', '')}".strip(", ")),
            *fact("Kernel", info.get("kernelVersion")),
            *fact("Kubelet", info.get("kubeletVersion")),
            *fact("Containers by", info.get("containerRuntimeVersion")),
            *fact("Taints", *(tag(each) for each in taints)),
        ],
    )
    return Description([about], [_room(obj, around), *_pods_of_node(around)])


def _room(obj: Object, around: Around) -> Grid:
    status = obj.get("status") or {}
    room = status.get("allocatable") or status.get("capacity") or {}
    running = [
        each.get("spec") or {}
        for each in around.items("node_pods")
        if (each.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
    ]
    used = (around.related.get("metrics") or {}).get("usage") or {}
    rows = []
    for resource, most in room.items():
        whole = amounts.parsed(most)
        if not whole:
            continue
        asked = sum((health.requests(spec).get(resource, Decimal(0)) for spec in running), Decimal(0))
        if resource == "pods":
            asked = Decimal(len(running))
        rows.append(
            Row(
                resource,
                {
                    "resource": _capital(amounts.resource_word(resource)),
                    "asked": cells.bar(float(asked / whole), f"{float(asked / whole):.0%}"),
                    "amount": f"{amounts.shown(resource, asked)} of {amounts.shown(resource, whole)}",
                    "used": amounts.shown(resource, amounts.parsed(used[resource]))
                    if resource in used
                    else "",
                },
            )
        )
    columns = (
        Column("resource", "Resource"),
        Column("asked", "Asked for"),
        Column("amount", "Amount"),
        Column("used", "Used now"),
    )
    return Grid("Room", columns, rows)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _pods_of_node(around: Around) -> Sequence[Grid]:
    rows = []
    for each in around.items("node_pods"):
        found = health.pod(each)
        name, namespace = name_of(each), namespace_of(each)
        asked = health.requests(each.get("spec") or {})
        rows.append(
            Row(
                f"{namespace}/{name}",
                {
                    "name": around.link("pods", name, namespace),
                    "namespace": namespace,
                    "state": cells.state(found.word, found.tone, title=found.why),
                    "cpu": amounts.shown("cpu", asked["cpu"]) if "cpu" in asked else "",
                    "memory": amounts.shown("memory", asked["memory"]) if "memory" in asked else "",
                },
                name=name,
            )
        )
    columns = (
        Column("name", "Pod"),
        Column("namespace", "Namespace"),
        Column("state", "State"),
        Column("cpu", "CPU asked for"),
        Column("memory", "Memory asked for"),
    )
    return (Grid("Pods", columns, rows),) if rows else ()


def _replicas(obj: Object) -> list[Fact]:
    wanted = (obj.get("spec") or {}).get("replicas", 1)
    return fact("Ready", _count((obj.get("status") or {}).get("readyReplicas"), wanted))


def _count(found: Any, wanted: Any) -> str:
    return f"{found or 0} of {wanted if wanted is not None else 0}"


def _seconds(value: Any) -> str:
    return f"{value} seconds" if value else ""


def _after(value: Any) -> str:
    return f"{value} seconds after its end" if value is not None else ""


def _template(spec: Object) -> list[Fact]:
    containers = ((spec.get("template") or {}).get("spec") or {}).get("containers") or ()
    selector = (spec.get("selector") or {}).get("matchLabels") or {}
    return [
        *fact("Images", *(cells.mono(str(each.get("image") or "")) for each in containers)),
        *fact("Chooses pods with", *(tag(f"{key}={value}") for key, value in selector.items())),
    ]


def pods_grid(around: Around) -> Sequence[Grid]:
    return table_grid("Pods", "pods", around)


def owned_grid(title: str, plural: str, obj: Object, around: Around) -> Sequence[Grid]:
    """Of those that a list holds, the ones that belong to the object."""
    return table_grid(title, plural, around, owner=str((obj.get("metadata") or {}).get("uid") or ""))


def table_grid(title: str, plural: str, around: Around, owner: str = "") -> Sequence[Grid]:
    """A related list that came as the API's Table."""
    answer = around.related.get(plural)
    kind = around.catalogue.lookup(plural)
    if answer is None or kind is None:
        return ()
    found = tables.read(answer)
    lines = [line for line in found.lines if not owner or owner in line.owners]
    lines.sort(key=lambda line: line.created, reverse=True)
    columns = [Column(each.key, each.label) for each in tables.columns(found, wide=False, namespaces=False)]
    rows = [
        tables.row(line, lambda each: around.href(kind.page(each.namespace, each.name))) for line in lines
    ]
    return (Grid(title, columns, rows),)
