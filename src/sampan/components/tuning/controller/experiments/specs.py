"""What experiments ask for, worked out once for each generation: defaults, the problem, the template, what is amiss.

Templates in ConfigMaps are read again with every look while there are trials to make.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from sampan.client.protocol import Client
from sampan.components.tuning.api import labels
from sampan.components.tuning.api.defaults import with_defaults
from sampan.components.tuning.api.reading import problem_of
from sampan.components.tuning.api.suggesting import Problem
from sampan.components.tuning.api.templates import is_for
from sampan.components.tuning.controller.experiments import checks
from sampan.components.tuning.engine.template.generator import Template, parameters_of
from sampan.kube import meta
from sampan.kube.errors import NotFoundError
from sampan.kube.kinds import CONFIG_MAPS
from sampan.kube.meta import Object
from sampan.reconcile.reconciler import Request, request_for

_MOST_TOLD = 5


@dataclass(frozen=True, slots=True)
class Known:
    experiment: Object
    """With its defaults, without its status."""
    problem: Problem
    template: Template
    max_failed: int | None
    failure: str = ""
    """Why it cannot be acted on before its spec changes."""
    unresolved: str = ""
    """What is missing before a trial can be made."""


@dataclass(slots=True)
class _Held:
    version: tuple[str, int]
    known: Known
    is_checked: bool = False


class Specs:
    def __init__(self, client: Client, katib_config: Callable[[], Object | None]) -> None:
        self._client = client
        self._katib_config = katib_config
        self._held: dict[Request, _Held] = {}

    async def of(self, found: Object) -> Known:
        """Raises ApiError."""
        request, version = request_for(found), (meta.uid(found), meta.generation(found))
        held = self._held.get(request)
        if held is None or held.version != version:
            held = self._held[request] = _Held(version, _read(found))
        known = held.known
        if known.template.source == "" and not known.failure:
            known = await self._with_config_map(known)
        if not held.is_checked and not known.unresolved:
            held.is_checked = True
            failure = self._check(known)
            held.known, known = replace(held.known, failure=failure), replace(known, failure=failure)
        return known

    def forget(self, request: Request) -> None:
        self._held.pop(request, None)

    async def _with_config_map(self, known: Known) -> Known:
        found = (meta.spec(known.experiment).get("trialTemplate") or {}).get("configMap")
        if not isinstance(found, dict):
            return known
        name, namespace = str(found.get("configMapName")), str(found.get("configMapNamespace"))
        path = str(found.get("templatePath"))
        where = f"the ConfigMap {namespace}/{name}"
        try:
            config_map = await self._client.get(CONFIG_MAPS, name, namespace)
        except NotFoundError:
            return replace(known, unresolved=f"waiting for {where}, which holds its trial template")
        if not is_for(config_map, meta.namespace(known.experiment)):
            shared = f"{labels.COMPONENT}={labels.TRIAL_TEMPLATES}"
            return replace(known, unresolved=f"waiting for {where} to be shared by the label {shared}")
        text = (config_map.get("data") or {}).get(path)
        if not text:
            return replace(known, unresolved=f"waiting for the trial template {path!r} in {where}")
        return replace(known, template=replace(known.template, source=str(text)))

    def _check(self, known: Known) -> str:
        """What the hooks would have said, where there are none."""
        source = known.template.source
        template: Any = meta.spec(known.experiment).get("trialTemplate")
        path = ((template if isinstance(template, dict) else {}).get("configMap") or {}).get("templatePath")
        data = {str(path): source} if isinstance(source, str) else None
        # Whether the cluster would take the object, the first trial finds out.
        around = checks.surroundings(lambda _namespace, _name: data, lambda _made: "")
        errors = checks.check(known.experiment, None, self._katib_config(), around)
        told = [f"{each.field}: {each.message}" for each in errors.causes[:_MOST_TOLD]]
        return f"Experiment cannot be run: {'; '.join(told)}" if told else ""


def _read(found: Object) -> Known:
    experiment = with_defaults({key: value for key, value in found.items() if key != "status"})
    spec = meta.spec(experiment)
    template: Any = spec.get("trialTemplate") or {}
    source = template.get("trialSpec")
    limit = spec.get("maxFailedTrialCount")
    return Known(
        experiment,
        problem_of(experiment),
        Template(source if isinstance(source, dict) else "", parameters_of(template)),
        None if limit is None else int(limit),
    )
