"""The form for a new experiment, beside the object that it makes, which can be edited in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from nicegui import ui

from sampan.components.tuning.api.kinds import EXPERIMENTS
from sampan.components.tuning.ui import actions, places
from sampan.components.tuning.ui.new_experiment import building, reading
from sampan.components.tuning.ui.new_experiment.fields import Fields
from sampan.components.tuning.ui.new_experiment.template_fields import SCRIPT_TO_BEGIN
from sampan.components.tuning.ui.new_experiment.wanted import (
    CONFIG_MAP,
    Program,
    Range,
    Target,
    Template,
    Wanted,
)
from sampan.components.tuning.ui.templates import finding
from sampan.kube import meta
from sampan.kube.meta import Object
from sampan.ui import widgets
from sampan.ui.context import PageContext
from sampan.ui.forms.form import Form
from sampan.ui.objects import copies, yamltext
from sampan.ui.objects.making import Making, NewObject, Read

_PLACES = {
    "metadata.name": "name",
    "already exists": "name",
    "spec.objective.type": "direction",
    "spec.objective.goal": "goal",
    "spec.objective.objectiveMetricName": "metric",
    "spec.objective.additionalMetricNames": "additional",
    "spec.objective.metricStrategies": "strategies",
    "spec.objective": "metric",
    "spec.algorithm": "algorithm",
    "spec.earlyStopping": "stopping",
    "spec.maxTrialCount": "most",
    "spec.parallelTrialCount": "parallel",
    "spec.maxFailedTrialCount": "failed",
    "spec.resumePolicy": "resume",
    "spec.nasConfig": "network",
    "spec.metricsCollectorSpec.collector.customCollector": "custom",
    "spec.metricsCollectorSpec": "collector",
    "spec.trialTemplate.trialParameters": "references",
    "spec.trialTemplate.primaryContainerName": "container",
    "spec.trialTemplate.successCondition": "succeeded",
    "spec.trialTemplate.failureCondition": "failed",
    "spec.trialTemplate.configMap": "kept",
    "spec.trialTemplate.trialSpec": "template",
}


_MAKING = Making(
    "New tuning experiment",
    "experiment",
    kinds=(EXPERIMENTS,),
    collection=places.api,
    page_of=lambda _, namespace, name: places.experiment(namespace, name),
    home=places.LIST,
    places=_PLACES,
)


async def build(page: PageContext) -> None:
    original = await _original(page)
    start = reading.wanted(original) if original is not None else beginning(page.query)
    taken = await actions.taken_names(page)
    widgets.page_header(_MAKING.title, f"In the namespace {page.namespace}.")
    with ui.element("div").classes("tu-new"):
        making = NewObject(page, _MAKING)
    if start is None and original is not None:
        # It has what the form has no field for.
        name = copies.next_name(meta.name(original), taken, actions.MOST_NAME)
        making.edit(yamltext.dump(copies.copy_of(original, name, reading.NOTES)))
        return
    assert start is not None
    name = copies.next_name(start.name, taken, actions.MOST_NAME)
    start = replace(start, name=name, namespace=page.namespace)
    templates = {each.place: each.text for each in await finding.find(page.api, page.namespace)}

    async def build_fields(form: Form, changed: Callable[[], None]) -> Read:
        fields = Fields(form, start, templates, changed)
        fields.build()
        return lambda: building.experiment(fields.read())

    await making.form(build_fields)


async def _original(page: PageContext) -> Object | None:
    """The experiment that is cloned."""
    name = page.query.get("clone", "")
    if not name:
        return None
    found = await page.api.get(places.experiments_api(page.namespace, name))
    return {**found, "kind": EXPERIMENTS.kind, "apiVersion": EXPERIMENTS.api_version}


def beginning(query: Mapping[str, str]) -> Wanted:
    """Something that runs, to be changed. Pure."""
    ranges = (
        Range("lr", "double", "0.00001", "0.1", distribution="logUniform"),
        Range("layers", "int", "1", "8"),
    )
    template = Template(program=Program(script=SCRIPT_TO_BEGIN))
    if kept := query.get("template", ""):
        template = Template(program=Program(source=CONFIG_MAP, config_map=kept))
    return Wanted(name="search-1", target=Target("loss", "minimize"), ranges=ranges, template=template)
