"""Where a namespace has no experiments yet: a small one that needs no package and no network, with one click."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from sampan.components.tuning.api.kinds import EXPERIMENTS
from sampan.components.tuning.ui import actions, places
from sampan.kube.meta import Object
from sampan.ui import widgets
from sampan.ui.context import PageContext
from sampan.ui.objects import copies
from sampan.ui.objects.making import MANAGER

_NAME = "first-experiment"
_PROGRAM = """import sys
x, y, bend = float(sys.argv[1]), float(sys.argv[2]), {"none": 0.0, "some": 0.6, "much": 2.0}[sys.argv[3]]
for step in range(1, 6):
    height = (x - 2) ** 2 + (y + 1) ** 2 + abs(bend - 0.6) + 4 / step
    print(f"step={step} height={height:.4f}", flush=True)
"""
_COMMAND = "sampan tune run train.py --param lr=log:1e-5..1e-1 --objective accuracy"


def offer(page: PageContext) -> None:
    async def run() -> None:
        made: list[str] = []

        async def create() -> None:
            name = copies.next_name(_NAME, await actions.taken_names(page), actions.MOST_NAME)
            await page.api.post(
                places.experiments_api(page.namespace), experiment(name, page.namespace), MANAGER
            )
            made.append(name)

        if await page.attempt(create(), done="Your first experiment has begun."):
            page.go(places.experiment(page.namespace, made[0]))

    with ui.element("section").classes("sp-card sp-welcome"):
        ui.icon(places.ICON).classes("sp-large").props("aria-hidden=true")
        with ui.element("div").classes("sp-stack"):
            widgets.heading("Run your first experiment")
            widgets.paragraph(
                "It looks for the lowest point of a small landscape: twelve trials of a few lines of Python, each "
                "with other parameters, which an algorithm chooses by what the trials before have found. You will "
                "see how it gets better. It needs no network and takes some seconds."
            )
            with ui.element("div").classes("sp-row"):
                widgets.button("Run it", run, icon="play_arrow", kind="primary")
                widgets.button("Make your own", href=page.href(places.NEW), icon="add")
                widgets.text("or, in a terminal:", "sp-muted")
                widgets.Text("code", _COMMAND).classes("sp-mono")


def experiment(name: str, namespace: str) -> Object:
    """Pure."""
    program = [f"${{trialParameters.{each}}}" for each in ("x", "y", "bend")]
    container = {
        "name": "training-container",
        "image": "python:3.11",
        "command": ["python", "-c", _PROGRAM, *program],
    }
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "spec": {
            "backoffLimit": 0,
            "template": {"spec": {"containers": [container], "restartPolicy": "Never"}},
        },
    }
    return {
        "apiVersion": EXPERIMENTS.api_version,
        "kind": EXPERIMENTS.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "objective": {"type": "minimize", "objectiveMetricName": "height"},
            "algorithm": {"algorithmName": "tpe"},
            "parallelTrialCount": 2,
            "maxTrialCount": 12,
            "maxFailedTrialCount": 3,
            "parameters": [_double("x", "-5", "5"), _double("y", "-5", "5"), _BEND],
            "trialTemplate": {
                "primaryContainerName": "training-container",
                "trialParameters": [{"name": each, "reference": each} for each in ("x", "y", "bend")],
                "trialSpec": job,
            },
        },
    }


def _double(name: str, low: str, high: str) -> Object:
    return {"name": name, "parameterType": "double", "feasibleSpace": {"min": low, "max": high}}


_BEND: dict[str, Any] = {
    "name": "bend",
    "parameterType": "categorical",
    "feasibleSpace": {"list": ["none", "some", "much"]},
}
