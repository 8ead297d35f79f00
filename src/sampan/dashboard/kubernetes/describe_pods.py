"""What a pod's page says: where it runs, its containers and how they are, what they ask for and use, volumes. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from sampan.dashboard.kubernetes.described import Around, Description, Grid, Object, namespace_of
from sampan.dashboard.kubernetes.facts import Fact, Section, Value, fact, hidden, tag
from sampan.dashboard.kubernetes.hiding import sounds_secret
from sampan.ui.objects import amounts, health
from sampan.ui.table import cells
from sampan.ui.table.table import Column, Row

_CONTAINERS = (
    Column("name", "Container"),
    Column("state", "State"),
    Column("restarts", "Restarts", number=True),
    Column("cpu", "CPU"),
    Column("memory", "Memory"),
    Column("probes", "Checks"),
)


def pod(obj: Object, around: Around) -> Description:
    spec = obj.get("spec") or {}
    where = _where(obj, around)
    volumes = [
        fact_
        for volume in spec.get("volumes") or ()
        for fact_ in fact(str(volume.get("name")), *_volume(volume, namespace_of(obj), around))
    ]
    sections = [where, *_environments(obj, around), Section("Volumes", volumes)]
    return Description(sections, (Grid("Containers", _CONTAINERS, _containers(obj, around)),))


def _where(obj: Object, around: Around) -> Section:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    node, account = str(spec.get("nodeName") or ""), str(spec.get("serviceAccountName") or "")
    namespace = namespace_of(obj)
    addresses = [each.get("ip") for each in status.get("podIPs") or ()] or [status.get("podIP")]
    return Section(
        "Placement",
        [
            *fact("Node", around.link("nodes", node) if node else ""),
            *fact("Address", *addresses),
            *fact("Started", cells.time(status["startTime"]) if status.get("startTime") else ""),
            *fact("Runs as", around.link("serviceaccounts", account, namespace) if account else ""),
            *fact("Restarts its containers", _RESTARTS.get(str(spec.get("restartPolicy") or ""), "")),
            *fact("Priority", spec.get("priorityClassName")),
            *fact(
                "Node selector",
                *(tag(f"{key}={value}") for key, value in (spec.get("nodeSelector") or {}).items()),
            ),
            *fact("Quality of service", status.get("qosClass")),
        ],
    )


_RESTARTS = {"Always": "always", "OnFailure": "when they fail", "Never": "never"}


def _containers(obj: Object, around: Around) -> list[Row]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    used = {
        each.get("name"): each.get("usage") or {}
        for each in (around.related.get("metrics") or {}).get("containers") or ()
    }
    states = {
        each.get("name"): each
        for part in ("initContainerStatuses", "containerStatuses")
        for each in status.get(part) or ()
    }
    rows = []
    for part, note in (("initContainers", "before the others"), ("containers", "")):
        for each in spec.get(part) or ():
            name = str(each.get("name"))
            beside = "beside the others" if each.get("restartPolicy") == "Always" else note
            rows.append(_container(each, states.get(name) or {}, used.get(name) or {}, beside))
    return rows


def _container(spec: Object, status: Object, used: Mapping[str, Any], note: str) -> Row:
    name = str(spec.get("name"))
    image = str(spec.get("image") or "")
    return Row(
        name,
        {
            "name": cells.lines(name, f"{image}, {note}" if note else image),
            "state": _state(status),
            "restarts": cells.number(status.get("restartCount") or 0),
            "cpu": _amount(spec, used, "cpu"),
            "memory": _amount(spec, used, "memory"),
            "probes": _probes(spec, status),
        },
        name=name,
    )


def _state(status: Object) -> Any:
    state = status.get("state") or {}
    found = health.container(status)
    if found is not None:
        return cells.state(found.word, found.tone, title=found.why)
    if "running" in state:
        return (
            cells.state("Running", "ok") if status.get("ready") else cells.state("Running, not ready", "warn")
        )
    if "terminated" in state:
        return cells.state("Ended well", "ok")
    return cells.state((state.get("waiting") or {}).get("reason") or "Waiting", "busy")


def _amount(spec: Object, used: Mapping[str, Any], resource: str) -> Any:
    resources = spec.get("resources") or {}
    asked = (resources.get("requests") or {}).get(resource)
    most = (resources.get("limits") or {}).get(resource)

    def shown(value: Any) -> str:
        return amounts.shown(resource, amounts.parsed(value))

    parts = [f"asks for {shown(asked)}" if asked else "", f"at most {shown(most)}" if most else ""]
    bounds = ", ".join(each for each in parts if each)
    if resource in used:
        return cells.lines(f"{shown(used[resource])} used", bounds)
    return bounds or "no limits"


def _probes(spec: Object, status: Object) -> Any:
    found = []
    for key, word in (
        ("startupProbe", "startup"),
        ("readinessProbe", "readiness"),
        ("livenessProbe", "liveness"),
    ):
        if probe := spec.get(key):
            found.append(f"{word}: {_probe(probe)}")
    if not found:
        return ""
    return cells.lines(found[0], "; ".join(found[1:]))


def _probe(probe: Object) -> str:
    if http := probe.get("httpGet"):
        return f"GET {http.get('path') or '/'} on {http.get('port')}"
    if tcp := probe.get("tcpSocket"):
        return f"connect to {tcp.get('port')}"
    if grpc := probe.get("grpc"):
        return f"gRPC on {grpc.get('port')}"
    return " ".join((probe.get("exec") or {}).get("command") or ())[:120]


def _environments(obj: Object, around: Around) -> list[Section]:
    spec, namespace = obj.get("spec") or {}, namespace_of(obj)
    every = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    found = []
    for each in every:
        rows: list[Fact] = []
        for variable in each.get("env") or ():
            rows += fact(str(variable.get("name")), *_variable(each, variable, namespace, around))
        for source in each.get("envFrom") or ():
            rows += fact("all of", _source(source, namespace, around))
        command = [*(each.get("command") or ()), *(each.get("args") or ())]
        shown = fact("Command", cells.mono(_command(command)) if command else "")
        ports = [
            f"{port.get('containerPort')}/{port.get('protocol', 'TCP')}" for port in each.get("ports") or ()
        ]
        mounts = [
            tag(
                f"{mount.get('mountPath')} from {mount.get('name')}"
                + (", read only" if mount.get("readOnly") else "")
            )
            for mount in each.get("volumeMounts") or ()
        ]
        title = f"Container {each.get('name')}"
        found.append(Section(title, [*shown, *fact("Ports", *ports), *fact("Mounts", *mounts), *rows]))
    return found


def _command(words: Sequence[Any]) -> str:
    text = " ".join(_quoted(str(word)) for word in words)
    return text if len(text) <= 2000 else text[:2000] + "…"


def _quoted(word: str) -> str:
    """For a shell, in the way that is easiest to read."""
    is_double = "'" in word and not any(each in word for each in '"$`\\!')
    return f'"{word}"' if is_double else shlex.quote(word)


def _variable(container: Object, variable: Object, namespace: str, around: Around) -> Sequence[Value]:
    name = str(variable.get("name"))
    source = variable.get("valueFrom") or {}
    if reference := source.get("secretKeyRef"):
        secret = str(reference.get("name") or "")
        return ("from secret", around.link("secrets", secret, namespace), f"key {reference.get('key')}")
    if reference := source.get("configMapKeyRef"):
        config = str(reference.get("name") or "")
        return ("from ConfigMap", around.link("configmaps", config, namespace), f"key {reference.get('key')}")
    if reference := source.get("fieldRef"):
        return (f"the pod's {reference.get('fieldPath')}",)
    if reference := source.get("resourceFieldRef"):
        return (f"the container's {reference.get('resource')}",)
    value = str(variable.get("value") or "")
    if value and sounds_secret(name):
        key = f"{container.get('name')}/{name}"
        return (hidden(key, "hidden", value if key in around.revealed else None),)
    return (cells.mono(value[:2000] or "(empty)"),)


def _source(source: Object, namespace: str, around: Around) -> Value:
    if reference := source.get("secretRef"):
        name = str(reference.get("name") or "")
        return around.link("secrets", name, namespace, f"Secret {name}")
    name = str((source.get("configMapRef") or {}).get("name") or "")
    return around.link("configmaps", name, namespace, f"ConfigMap {name}")


def _volume(volume: Object, namespace: str, around: Around) -> Sequence[Value]:
    if claim := volume.get("persistentVolumeClaim"):
        name = str(claim.get("claimName") or "")
        return ("persistent volume claim", around.link("persistentvolumeclaims", name, namespace))
    if config := volume.get("configMap"):
        return ("ConfigMap", around.link("configmaps", str(config.get("name") or ""), namespace))
    if secret := volume.get("secret"):
        return ("secret", around.link("secrets", str(secret.get("secretName") or ""), namespace))
    if "emptyDir" in volume:
        kind = "in memory" if (volume["emptyDir"] or {}).get("medium") == "Memory" else "on the node's disk"
        return (f"empty at the start, {kind}, gone with the pod",)
    if host := volume.get("hostPath"):
        return ("the node's folder", cells.mono(str(host.get("path") or "")))
    if "projected" in volume:
        return ("token and settings for the API",)
    return (next((key for key in volume if key != "name"), ""),)
