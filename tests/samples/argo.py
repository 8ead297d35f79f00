"""Runs upstream's Argo examples on a server of their own, through the Kubernetes API, and says how each ended.

    python tests/samples/argo.py FOLDER [--jobs 4] [--only TEXT] [--home DIR]

FOLDER is `examples` of argoproj/argo-workflows; nothing of it is kept here. Each file is applied as kubectl would: its
Workflows are to succeed, a template or CronWorkflow with an entry point is run as `argo submit --from` would, unless
`argo.toml` says otherwise. README.md lists what cannot end as expected here, and why.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sampan.testing.server import HttpError, ServerProcess

_HERE = Path(__file__).parent
_POLL_SECONDS = 0.3
_NAMESPACE = "default"
_PLURALS = {
    "Workflow": "workflows",
    "WorkflowTemplate": "workflowtemplates",
    "ClusterWorkflowTemplate": "clusterworkflowtemplates",
    "CronWorkflow": "cronworkflows",
    "WorkflowEventBinding": "workfloweventbindings",
    "ConfigMap": "configmaps",
    "Secret": "secrets",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "ResourceQuota": "resourcequotas",
    "Role": "roles",
    "RoleBinding": "rolebindings",
    "ServiceAccount": "serviceaccounts",
}
_FINAL = ("Succeeded", "Failed", "Error")
_FROM = {
    "WorkflowTemplate": {},
    "ClusterWorkflowTemplate": {"clusterScope": True},
}


@dataclass(frozen=True)
class Example:
    """One file, and what `argo.toml` says of it."""

    name: str
    file: Path
    before: tuple[str, ...] = ()
    """Other files that are applied first."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    minutes: float = 2
    phase: str = "Succeeded"
    """`Refused`: the API server must not take it. `Stored`: nothing is to run. `Running`: it never ends. Several, with
    `|` between them, where it throws a coin."""
    says: str = ""
    """What its message, or the refusal, holds."""
    supply: Mapping[str, str] = field(default_factory=dict)
    """Outputs for suspended nodes, which are let go on."""
    lacks: str = ""
    why: str = ""


@dataclass(frozen=True)
class Ended:
    example: Example
    phase: str
    seconds: float
    why: str = ""

    @property
    def is_expected(self) -> bool:
        return self.phase in self.example.phase.split("|") and self.example.says in self.why


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--only", default="")
    parser.add_argument("--home", type=Path)
    given = parser.parse_args()
    examples = [each for each in read_examples(given.folder) if given.only in each.name]
    examples.sort(key=lambda each: -each.minutes)
    with (
        tempfile.TemporaryDirectory(prefix="sampan-argo-", ignore_cleanup_errors=True) as folder,
        ServerProcess(given.home or Path(folder)) as server,
        ThreadPoolExecutor(given.jobs) as pool,
    ):
        for wanted in yaml.safe_load_all((_HERE / "argo-cluster.yaml").read_text()):
            apply(server, wanted)
        ended = list(pool.map(lambda each: told(run(server, given.folder, each)), examples))
    wrong = [one for one in ended if not one.is_expected]
    for one in sorted(wrong, key=lambda one: (bool(one.example.lacks), one.example.name)):
        print(f"{one.phase:<10} {one.seconds:6.1f} s  {one.example.name}")
        print(_indented(f"lacks {one.example.lacks}" if one.example.lacks else one.why))
    print(f"{len(ended) - len(wrong)} of {len(ended)} ended as expected")
    return 1 if any(not one.example.lacks for one in wrong) else 0


def told(ended: Ended) -> Ended:
    """Says at once what went wrong: a whole run takes a quarter of an hour."""
    if not ended.is_expected and not ended.example.lacks:
        print(f"{ended.example.name}: {ended.phase}, {ended.why[:200]!r}", file=sys.stderr, flush=True)
    return ended


def read_examples(folder: Path) -> list[Example]:
    known = tomllib.loads((_HERE / "argo.toml").read_text())
    found = {str(file.relative_to(folder)): file for file in sorted(folder.rglob("*.yaml"))}
    if unknown := sorted(known.keys() - found.keys()):
        sys.exit(f"argo.toml names examples that {folder} lacks: {', '.join(unknown)}")
    return [Example(name, file, **known.get(name, {})) for name, file in found.items()]


def run(server: ServerProcess, folder: Path, example: Example) -> Ended:
    started = time.monotonic()
    try:
        for name in example.before:
            for wanted in documents(folder / name):
                if wanted["kind"] != "Workflow":
                    apply(server, wanted)
        workflows = []
        for wanted in documents(example.file):
            if wanted["kind"] != "Workflow":
                apply(server, wanted)
            if wanted["kind"] == "ResourceQuota":
                # It does what it says, to all the others.
                server.call("DELETE", _path(wanted, wanted["metadata"]["name"]))
            workflows += list(to_run(wanted))
        phase, why = "Stored", ""
        for workflow in workflows if example.phase != "Stored" else ():
            phase, why = end(server, workflow, example)
            if phase != "Succeeded":
                break
    except HttpError as error:
        phase = "Refused" if error.code == 422 else f"HTTP {error.code}"
        why = error.body.get("message", "") if isinstance(error.body, dict) else str(error.body)
    return Ended(example, phase, time.monotonic() - started, why)


def to_run(wanted: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The Workflow that is in the document, or that somebody would submit from it."""
    kind, spec = wanted["kind"], wanted.get("spec") or {}
    if kind == "Workflow":
        yield wanted
    metadata = {"generateName": f"{wanted['metadata'].get('name', 'from')}-"}
    new = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "metadata": metadata}
    if kind in _FROM and spec.get("entrypoint"):
        yield {**new, "spec": {"workflowTemplateRef": {"name": wanted["metadata"]["name"], **_FROM[kind]}}}
    if kind == "CronWorkflow":
        yield {**new, "spec": spec["workflowSpec"]}


def end(server: ServerProcess, workflow: dict[str, Any], example: Example) -> tuple[str, str]:
    """The phase in which it ended, and what it says."""
    workflow = copy.deepcopy(workflow)
    if example.parameters:
        given = [{"name": name, "value": value} for name, value in example.parameters.items()]
        arguments = workflow["spec"].setdefault("arguments", {})
        others = [
            each for each in arguments.get("parameters") or () if each["name"] not in example.parameters
        ]
        arguments["parameters"] = [*others, *given]
    if name := workflow["metadata"].get("name"):
        workflow["metadata"] = {**workflow["metadata"], "generateName": f"{name}-"}
        del workflow["metadata"]["name"]
    where = f"/apis/argoproj.io/v1alpha1/namespaces/{_NAMESPACE}/workflows"
    created = server.call("POST", where, workflow)
    where = f"{where}/{created['metadata']['name']}"
    deadline = time.monotonic() + example.minutes * 60
    while time.monotonic() < deadline:
        found = server.call("GET", where)
        status = found.get("status") or {}
        phase = str(status.get("phase") or "")
        if phase in _FINAL:
            return phase, explanation(status)
        resume(server, found, example)
        time.sleep(_POLL_SECONDS)
    server.call("DELETE", where)
    said = phase or "not begun"
    return ("Running" if phase == "Running" else "TIMEOUT"), f"still {said}; {explanation(status)}"


def resume(server: ServerProcess, workflow: dict[str, Any], example: Example) -> None:
    """As `argo resume` does, by an update of the nodes."""
    status = workflow.get("status") or {}
    changed = False
    for node in (status.get("nodes") or {}).values():
        if node.get("type") == "Suspend" and node.get("phase") == "Running" and example.supply:
            node["phase"], changed = "Succeeded", True
            for parameter in (node.get("outputs") or {}).get("parameters") or ():
                if "supplied" in (parameter.get("valueFrom") or {}):
                    parameter["value"] = example.supply.get(parameter["name"], "")
    if changed:
        try:
            server.call("PUT", _path(workflow, workflow["metadata"]["name"]), workflow)
        except HttpError as error:
            if error.code != 409:  # its status was written meanwhile; there is a next time
                raise


def explanation(status: Mapping[str, Any]) -> str:
    nodes = (status.get("nodes") or {}).values()
    said = [
        f"{node.get('displayName')} {node.get('phase')}: {node['message']}"
        for node in nodes
        if node.get("message") and node.get("phase") not in ("Succeeded", "Skipped", "Omitted")
    ]
    return "; ".join(filter(None, [str(status.get("message") or ""), *said]))


def documents(file: Path) -> list[dict[str, Any]]:
    """As JSON: dates are text, as kubectl would send them."""
    found = [each for each in yaml.load_all(file.read_text(), _Loader) if each]
    return json.loads(json.dumps(found))  # type: ignore[no-any-return]


class _Loader(yaml.SafeLoader):
    pass


_Loader.yaml_implicit_resolvers = {
    first: [each for each in resolvers if each[0] != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def apply(server: ServerProcess, wanted: dict[str, Any]) -> None:
    """Creates it, or puts it in the place of the one that is there."""
    if "name" not in wanted["metadata"]:
        wanted["metadata"]["name"] = f"{wanted['metadata'].pop('generateName')}x"
    name = wanted["metadata"]["name"]
    try:
        server.call("POST", _path(wanted), wanted)
    except HttpError as error:
        if error.code != 409:
            raise
        there = server.call("GET", _path(wanted, name))
        if there.get("spec") != wanted.get("spec") and wanted["kind"] != "PersistentVolumeClaim":
            version = {"resourceVersion": there["metadata"]["resourceVersion"]}
            server.call("PUT", _path(wanted, name), {**wanted, "metadata": {**wanted["metadata"], **version}})


def _path(wanted: Mapping[str, Any], name: str = "") -> str:
    group = wanted["apiVersion"]
    base = f"/apis/{group}" if "/" in group else f"/api/{group}"
    if wanted["kind"] != "ClusterWorkflowTemplate":
        base += f"/namespaces/{_NAMESPACE}"
    return f"{base}/{_PLURALS[wanted['kind']]}" + (f"/{name}" if name else "")


def _indented(text: str) -> str:
    text = text.strip()
    shown = text if len(text) < 700 else f"{text[:350]} […] {text[-350:]}"
    return "\n".join(f"           {line}" for line in shown.splitlines())


if __name__ == "__main__":
    sys.exit(main())
