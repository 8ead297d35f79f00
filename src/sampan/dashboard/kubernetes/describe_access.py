"""How pods are reached, and who may do what: Services, Ingresses, Roles and their bindings. Pure."""

from __future__ import annotations

from typing import Any

from sampan.dashboard.kubernetes.describe_workloads import pods_grid
from sampan.dashboard.kubernetes.described import Around, Description, Grid, Object, name_of, namespace_of
from sampan.dashboard.kubernetes.facts import Section, fact, tag
from sampan.ui.table import cells
from sampan.ui.table.table import Column, Row

_PORTS = (
    Column("name", "Name"),
    Column("port", "Port"),
    Column("target", "Leads to the pods' port"),
    Column("node", "Port of the nodes"),
)
_RULES = (Column("verbs", "May"), Column("what", "With"), Column("names", "Only those called"))


def service(obj: Object, around: Around) -> Description:
    spec = obj.get("spec") or {}
    selector = spec.get("selector") or {}
    name = f"{name_of(obj)}.{namespace_of(obj)}.svc"
    ready, waiting = _endpoints(around)
    outside = ((obj.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    facts = [
        *fact("Name within the cluster", cells.mono(name)),
        *fact(
            "Address",
            cells.mono("none of its own" if spec.get("clusterIP") == "None" else spec.get("clusterIP", "")),
        ),
        *fact("Kind", spec.get("type")),
        *fact("Stands for", spec.get("externalName")),
        *fact("From outside", *(each.get("ip") or each.get("hostname") for each in outside)),
        *fact("Chooses pods with", *(tag(f"{key}={value}") for key, value in selector.items())),
        *fact("Leads to", *(ready or [cells.state("no ready pod", "warn")] if selector else ready)),
        *fact("Not ready yet", *waiting),
    ]
    rows = [
        Row(
            f"{each.get('name')}{each.get('port')}{each.get('protocol')}",
            {
                "name": each.get("name") or "",
                "port": f"{each.get('port')}/{each.get('protocol', 'TCP')}",
                "target": str(each.get("targetPort") or ""),
                "node": str(each.get("nodePort") or ""),
            },
        )
        for each in spec.get("ports") or ()
    ]
    return Description([Section("Reached at", facts)], [Grid("Ports", _PORTS, rows), *pods_grid(around)])


def _endpoints(around: Around) -> tuple[list[Any], list[Any]]:
    subsets = (around.related.get("endpoints") or {}).get("subsets") or ()

    def shown(part: str) -> list[Any]:
        found = []
        for each in subsets:
            ports = "/".join(str(port.get("port")) for port in each.get("ports") or ())
            found += [cells.mono(f"{address.get('ip')}:{ports}") for address in each.get(part) or ()]
        return found[:50]

    return shown("addresses"), shown("notReadyAddresses")


def ingress(obj: Object, around: Around) -> Description:
    rows = []
    for rule in (obj.get("spec") or {}).get("rules") or ():
        for path in (rule.get("http") or {}).get("paths") or ():
            backend = path.get("backend") or {}
            target = backend.get("service") or {"name": backend.get("serviceName")}
            name = str(target.get("name") or "")
            rows.append(
                Row(
                    f"{rule.get('host')}{path.get('path')}",
                    {
                        "host": rule.get("host") or "any",
                        "path": path.get("path") or "/",
                        "service": around.link("services", name, namespace_of(obj)),
                    },
                )
            )
    columns = (Column("host", "Host"), Column("path", "Path"), Column("service", "Service"))
    return Description((), [Grid("Rules", columns, rows)])


def role(obj: Object, around: Around) -> Description:
    del around
    rows = []
    for index, rule in enumerate(obj.get("rules") or ()):
        groups = [each or "core" for each in rule.get("apiGroups") or ()]
        what = [*(rule.get("resources") or ()), *(rule.get("nonResourceURLs") or ())]
        rows.append(
            Row(
                str(index),
                {
                    "verbs": cells.tags(rule.get("verbs") or ()),
                    "what": cells.lines(", ".join(what), ", ".join(groups)),
                    "names": ", ".join(rule.get("resourceNames") or ()),
                },
            )
        )
    return Description((), [Grid("Allows", _RULES, rows)])


def binding(obj: Object, around: Around) -> Description:
    reference = obj.get("roleRef") or {}
    plural = {"Role": "roles", "ClusterRole": "clusterroles"}.get(str(reference.get("kind")), "")
    name = str(reference.get("name") or "")
    subjects = []
    for each in obj.get("subjects") or ():
        who, namespace = str(each.get("name") or ""), str(each.get("namespace") or "")
        is_account = each.get("kind") == "ServiceAccount"
        text = f"{each.get('kind')} {who}" + (f" in {namespace}" if namespace else "")
        subjects.append(around.link("serviceaccounts", who, namespace, text) if is_account else text)
    facts = [
        *fact("Gives the role", around.link(plural, name, namespace_of(obj)) if plural else name),
        *fact("To", *subjects),
    ]
    return Description([Section("Grant", facts)])
