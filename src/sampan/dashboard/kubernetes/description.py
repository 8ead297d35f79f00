"""What an object's page says of it: facts, and tables of its parts. Pure; one function for each kind that is known.

`of` puts together what every object has (`described`) and what its kind adds (`_BY_KIND`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

from sampan.dashboard.kubernetes import describe_access, describe_pods, describe_storage, describe_workloads
from sampan.dashboard.kubernetes.described import Around, Description, Object, labels_of, merged
from sampan.dashboard.kubernetes.facts import Fact, Section, fact, tag
from sampan.dashboard.kubernetes.hiding import LAST_APPLIED
from sampan.ui.table import cells
from sampan.ui.table.table import Row

_MOST_TEXT = 200
_MOST_LEAVES = 40
_RUN_LABEL, _TASK_LABEL = "pipeline/runid", "pipelines.kubeflow.org/task-id"
"""On pods of runs, as Kubeflow Pipelines sets the first and this platform the second."""

_BY_KIND: Mapping[str, Callable[[Object, Around], Description]] = {
    "Pod": describe_pods.pod,
    "Deployment": describe_workloads.deployment,
    "StatefulSet": describe_workloads.stateful_set,
    "DaemonSet": describe_workloads.daemon_set,
    "ReplicaSet": describe_workloads.replica_set,
    "Job": describe_workloads.job,
    "CronJob": describe_workloads.cron_job,
    "Service": describe_access.service,
    "Ingress": describe_access.ingress,
    "Role": describe_access.role,
    "ClusterRole": describe_access.role,
    "RoleBinding": describe_access.binding,
    "ClusterRoleBinding": describe_access.binding,
    "PersistentVolumeClaim": describe_storage.claim,
    "PersistentVolume": describe_storage.volume,
    "ConfigMap": describe_storage.config_map,
    "Secret": describe_storage.secret,
    "ResourceQuota": describe_storage.quota,
    "Node": describe_workloads.node,
}


def of(obj: Object, around: Around) -> Description:
    known = _BY_KIND.get(str(obj.get("kind")))
    specific = known(obj, around) if known is not None else _unknown(obj)
    return merged(specific, Description((_general(obj, around),)))


_MOST_NAMED = 3


def _unknown(obj: Object) -> Description:
    """Of a kind that nothing is known about: its own words."""
    parts = (("Spec", obj.get("spec")), ("Status", obj.get("status")))
    return Description([Section(title, list(islice(_leaves(part), _MOST_LEAVES))) for title, part in parts])


def _leaves(value: Any, path: str = "") -> Iterator[Fact]:
    if isinstance(value, Mapping):
        if path and len(value) > _MOST_NAMED and all(isinstance(each, Mapping) for each in value.values()):
            # Things by their names, such as a Workflow's nodes: the YAML has them all.
            yield from fact(path, f"{len(value)} entries")
            return
        for key, each in value.items():
            if path or key != "conditions":
                yield from _leaves(each, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        plain = [each for each in value if not isinstance(each, Mapping | list)]
        said = [tag(_short(each)) for each in plain[:20]] or [
            f"{len(value)} item{'' if len(value) == 1 else 's'}"
        ]
        if value and path:
            yield from fact(path, *said)
    elif value not in (None, "") and path:
        yield from fact(path, _short(value) if not isinstance(value, bool) else "yes" if value else "no")


def _general(obj: Object, around: Around) -> Section:
    metadata = obj.get("metadata") or {}
    owners = [
        around.owner(each, metadata.get("namespace") or "") for each in metadata.get("ownerReferences") or ()
    ]
    labels = labels_of(obj)
    notes = {
        name: value for name, value in (metadata.get("annotations") or {}).items() if name != LAST_APPLIED
    }
    run = labels.get(_RUN_LABEL)
    step = {"task": labels[_TASK_LABEL]} if _TASK_LABEL in labels else {}
    return Section(
        "About",
        [
            *fact("Run", cells.link(run, around.href(f"/runs/{run}", **step)) if run else ""),
            *fact("Belongs to", *owners),
            *fact("Created", cells.time(str(metadata.get("creationTimestamp") or ""))),
            *fact(
                "Labels",
                *(tag(f"{key}={value}", around.labelled(key, value)) for key, value in labels.items()),
            ),
            *fact("Annotations", *(tag(f"{key}: {_short(value)}") for key, value in notes.items())),
            *fact("Waits before it is gone for", *(tag(each) for each in metadata.get("finalizers") or ())),
        ],
    )


def _short(text: object) -> str:
    said = str(text)
    return said if len(said) <= _MOST_TEXT else said[:_MOST_TEXT] + "…"


_GOOD_WHEN_FALSE = ("Pressure", "Failed", "Failure", "Unavailable", "Degraded", "Disruption", "Suspended")


def conditions(obj: Object) -> list[Row]:
    """For a table of its own."""
    status = obj.get("status")
    found = status.get("conditions") if isinstance(status, Mapping) else None
    return [_condition_row(each) for each in found or () if isinstance(each, Mapping) and each.get("type")]


def _condition_row(condition: Mapping[str, Any]) -> Row:
    kind, status = str(condition["type"]), str(condition.get("status") or "")
    is_bad_thing = any(word in kind for word in _GOOD_WHEN_FALSE)
    tone = (
        "idle" if status not in ("True", "False") else "ok" if (status == "True") != is_bad_thing else "warn"
    )
    if kind == "Suspended" or (status == "False" and is_bad_thing):
        tone = "idle"
    since = condition.get("lastTransitionTime") or condition.get("lastUpdateTime") or ""
    return Row(
        kind,
        {
            "type": kind,
            "status": cells.state(status, tone),
            "why": cells.lines(str(condition.get("message") or ""), str(condition.get("reason") or "")),
            "since": cells.time(str(since)) if since else "",
        },
        name=kind,
    )
