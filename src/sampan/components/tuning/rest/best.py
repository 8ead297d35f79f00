"""`…/best`: the parameters of the best trial, ready to be used. Pure, but for what `door` gives.

As JSON, YAML, lines for a shell, the run object that the trial was, or the experiment for another go.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from typing import Any

import yaml

from sampan.components.tuning.api.kinds import EXPERIMENTS
from sampan.components.tuning.api.reading import metrics_of, named_values
from sampan.components.tuning.rest.columns import number
from sampan.kube import meta
from sampan.kube.meta import Object

KATIB = "katib.kubeflow.org/"
FORMS = ("json", "yaml", "env", "run", "experiment")
_LONGEST_NAME = 63
_VARIABLE = re.compile(r"[^A-Za-z0-9_]")
_SERVERS = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink",
            "ownerReferences", "finalizers", "deletionTimestamp", "deletionGracePeriodSeconds")  # fmt: skip


def answer(trial: Object) -> dict[str, Any]:
    found = metrics_of(meta.status(trial).get("observation"))
    return {
        "trial": meta.name(trial),
        "parameters": parameters(trial),
        "metrics": {
            name: {"min": number(each.min), "max": number(each.max), "latest": number(each.latest)}
            for name, each in found.items()
        },
    }


def parameters(trial: Object) -> dict[str, str]:
    return named_values(meta.spec(trial).get("parameterAssignments"))


def as_yaml(trial: Object, types: Mapping[str, str]) -> str:
    """Numbers as such, by the types of the experiment's parameters."""
    typed = {name: _typed(value, types.get(name, "")) for name, value in parameters(trial).items()}
    return dumped(typed)


def as_env(trial: Object) -> str:
    """One line each. What a shell takes for no variable's name is written with `_`."""
    lines = []
    for name, value in parameters(trial).items():
        variable = _VARIABLE.sub("_", name)
        variable = f"_{variable}" if variable[:1].isdigit() else variable
        lines.append(f"{variable}={shlex.quote(value)}\n")
    return "".join(lines)


def run_object(trial: Object, experiment: str) -> Object:
    """As the trial's, but for what ties it to the trial."""
    run = json.loads(json.dumps(meta.spec(trial).get("runSpec") or {}))
    metadata = _clean(meta.metadata(run))
    metadata["name"] = f"{experiment[: _LONGEST_NAME - 5].rstrip('-.')}-best"
    metadata["namespace"] = meta.namespace(trial)
    head = {"apiVersion": run.get("apiVersion"), "kind": run.get("kind"), "metadata": metadata}
    return {**head, **{key: value for key, value in run.items() if key not in (*head, "status")}}


def experiment_object(experiment: Object) -> Object:
    """Without what the server and the controllers have written."""
    metadata = _clean(meta.metadata(experiment))
    return {
        "apiVersion": EXPERIMENTS.api_version,
        "kind": EXPERIMENTS.kind,
        "metadata": {
            **metadata,
            "name": f"{meta.name(experiment)}-copy",
            "namespace": meta.namespace(experiment),
        },
        "spec": meta.spec(experiment),
    }


def dumped(value: Any) -> str:
    # No anchors for what is the same object twice: others read this.
    return yaml.dump(value, Dumper=_Plain, sort_keys=False, allow_unicode=True, default_flow_style=False)


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: _Plain, text: str) -> yaml.ScalarNode:
    # Programs of many lines are read as such.
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Plain.add_representer(str, _text)


def _clean(metadata: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in metadata.items() if key not in _SERVERS}
    for field in ("labels", "annotations"):
        if isinstance(kept.get(field), dict):
            kept[field] = {
                key: value
                for key, value in kept[field].items()
                if not key.startswith(KATIB) and key != "kubectl.kubernetes.io/last-applied-configuration"
            }
            if not kept[field]:
                del kept[field]
    return kept


def _typed(value: str, kind: str) -> Any:
    if kind == "categorical":
        return value
    for read in (int, float) if kind != "double" else (float,):
        try:
            return read(value)
        except ValueError:
            continue
    return value
