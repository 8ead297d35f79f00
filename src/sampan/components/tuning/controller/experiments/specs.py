"""What experiments ask for, worked out once for each generation: defaults, the problem, the template, what is amiss.

Templates in ConfigMaps are read again with every look while there are trials to make.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sampan.client.protocol import Client
from sampan.components.tuning.api.defaults import with_defaults
from sampan.components.tuning.api.reading import problem_of
from sampan.components.tuning.api.suggesting import Problem
from sampan.components.tuning.engine.template.generator import Template, parameters_of
from sampan.kube import meta
from sampan.kube.errors import NotFoundError
from sampan.kube.kinds import CONFIG_MAPS
from sampan.kube.meta import Object
from sampan.reconcile.reconciler import Request, request_for


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


class Specs:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[Request, tuple[tuple[str, int], Known]] = {}

    async def of(self, found: Object) -> Known:
        request, version = request_for(found), (meta.uid(found), meta.generation(found))
        held = self._known.get(request)
        if held is None or held[0] != version:
            held = version, _read(found)
            self._known[request] = held
        known = held[1]
        return await self._with_config_map(known) if known.template.source == "" else known

    def forget(self, request: Request) -> None:
        self._known.pop(request, None)

    async def _with_config_map(self, known: Known) -> Known:
        found = meta.spec(known.experiment).get("trialTemplate", {}).get("configMap")
        if not isinstance(found, dict):
            return known
        name, namespace = str(found.get("configMapName")), str(found.get("configMapNamespace"))
        path = str(found.get("templatePath"))
        try:
            config_map = await self._client.get(CONFIG_MAPS, name, namespace)
        except NotFoundError:
            return replace(known, unresolved=f"the ConfigMap {namespace}/{name} of its template is not there")
        text = (config_map.get("data") or {}).get(path)
        if not text:
            return replace(
                known, unresolved=f"the ConfigMap {namespace}/{name} has no template under {path!r}"
            )
        return replace(known, template=replace(known.template, source=str(text)))


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
