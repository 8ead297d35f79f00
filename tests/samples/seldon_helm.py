"""Helm, as far as Seldon's end-to-end tests call it: `install` and `delete` of its chart seldon-single-model.

seldon_helm.py UPSTREAM COMMAND … writes what the chart's template would, with the chart's own values. Called by the
program `helm` that seldon.py makes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml


def set_value(values: dict[str, Any], told: str) -> None:
    key, _, value = told.partition("=")
    *outer, last = key.split(".")
    for each in outer:
        values = values.setdefault(each, {})
    values[last] = value


def rendered(name: str, values: dict[str, Any]) -> dict[str, Any]:
    model = values["model"]
    unit = {"name": "model", "implementation": model["implementation"], "modelUri": model["uri"]}
    container: dict[str, Any] = {"name": "model", "image": model["image"], "resources": model["resources"]}
    env = [{"name": key, "value": str(value)} for key, value in model["env"].items()]
    spec = {"containers": [{key: value for key, value in container.items() if value} | {"env": env}]}
    return {
        "apiVersion": values["apiVersion"],
        "kind": "SeldonDeployment",
        "metadata": {"name": name},
        "spec": {
            "name": name,
            "protocol": values["protocol"],
            "annotations": values["annotations"],
            "predictors": [
                {
                    "name": "default",
                    "graph": {key: value for key, value in unit.items() if value} | {"type": "MODEL"},
                    "componentSpecs": [{"spec": spec}],
                    "replicas": int(values["replicas"]),
                }
            ],
        },
    }


def main(words: list[str]) -> int:
    upstream, command, name, *rest = words
    options: dict[str, list[str]] = {}
    plain = []
    while rest:
        word = rest.pop(0)
        key, is_whole, value = word.partition("=")
        if key in ("--set", "--namespace", "-n"):
            options.setdefault(key, []).append(value if is_whole else rest.pop(0))
        elif not word.startswith("-"):
            plain.append(word)
    where = [f"-n={each}" for key in ("--namespace", "-n") for each in options.get(key, ())]
    if command != "install":
        return subprocess.run(["kubectl", "delete", "sdep", name, *where], check=False).returncode
    chart = Path(upstream, "helm-charts", Path(plain[0]).name)
    if chart.name != "seldon-single-model":
        print(f"only the chart seldon-single-model is played, not {chart.name}", file=sys.stderr)
        return 1
    values = yaml.safe_load((chart / "values.yaml").read_text())
    for told in options.get("--set", ()):
        set_value(values, told)
    made = json.dumps(rendered(name, values))
    return subprocess.run(
        ["kubectl", "create", "-f", "-", *where], input=made, text=True, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
