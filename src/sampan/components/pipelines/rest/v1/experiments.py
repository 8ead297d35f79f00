"""The experiment service of v1. What is answered with nothing is v2's own: `rest.experiments`."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from sampan.components.pipelines.api.wire_messages_v1 import ResourceType
from sampan.components.pipelines.rest import experiments
from sampan.components.pipelines.rest.dispatch import Call, answer, answer_from
from sampan.components.pipelines.rest.render import page
from sampan.components.pipelines.rest.v1 import filters, references, render
from sampan.components.pipelines.store import experiments as store


async def create(call: Call) -> Response:
    references.checked(call.body.get("resource_references", ()), "experiment", [ResourceType.NAMESPACE])
    row = await experiments.new_experiment(call, "name")
    return answer(render.experiment(row, call.shown_namespace))


async def get(call: Call) -> Response:
    return answer(render.experiment(experiments.named(call), call.shown_namespace))


async def list_(call: Call) -> Response:
    request, namespace, shown = filters.list_request(call), call.namespace, call.shown_namespace

    def read(connection: Any) -> dict[str, Any]:
        found = store.list_page(connection, request, namespace)
        return page("experiments", found.mapped(lambda row: render.experiment(row, shown)))

    return await answer_from(call, read)
