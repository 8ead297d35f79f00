"""The experiment service."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from sampan.components.pipelines.api.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
)
from sampan.components.pipelines.rest import render
from sampan.components.pipelines.rest.dispatch import Call, answer, answer_from
from sampan.components.pipelines.rest.names import checked_name
from sampan.components.pipelines.rest.scopes import not_found
from sampan.components.pipelines.store import experiments
from sampan.components.pipelines.store.experiments import ExperimentRow
from sampan.lib.ids import new_uid


async def create(call: Call) -> Response:
    return answer(render.experiment(await new_experiment(call, "display_name"), call.shown_namespace))


async def new_experiment(call: Call, name_field: str) -> ExperimentRow:
    """What the body describes, stored."""
    path = f"experiment.{name_field}"
    row = ExperimentRow(
        experiment_id=new_uid(),
        namespace=call.namespace,
        display_name=checked_name(call.body.get(name_field, ""), path, 128),
        description=call.body.get("description", ""),
        created_at=call.backend.now_micros(),
    )
    if not await call.backend.database.write(lambda connection: experiments.insert(connection, row)):
        raise AlreadyExistsError(
            f"{path}: there already is an experiment {row.display_name!r}; take another name"
        )
    return row


async def get(call: Call) -> Response:
    return answer(render.experiment(named(call), call.shown_namespace))


async def list_(call: Call) -> Response:
    request, namespace, shown = call.list_request(), call.namespace, call.shown_namespace

    def read(connection: Any) -> dict[str, Any]:
        page = experiments.list_page(connection, request, namespace)
        return render.page("experiments", page.mapped(lambda row: render.experiment(row, shown)))

    return await answer_from(call, read)


async def archive(call: Call) -> Response:
    experiment_id = call.params["experiment_id"]
    await call.backend.database.write(lambda connection: experiments.archive(connection, experiment_id))
    return answer({})


async def unarchive(call: Call) -> Response:
    experiment_id = call.params["experiment_id"]
    await call.backend.database.write(lambda connection: experiments.unarchive(connection, experiment_id))
    return answer({})


async def delete(call: Call) -> Response:
    row = named(call)
    if row.display_name == experiments.DEFAULT_NAME:
        raise FailedPreconditionError(
            f"the experiment {row.display_name!r} takes runs that name no experiment and cannot be deleted"
        )
    await call.backend.database.write(lambda connection: experiments.delete(connection, row.experiment_id))
    return answer({})


def named(call: Call) -> ExperimentRow:
    """The experiment of the path. Raises NotFoundError."""
    experiment_id = call.params["experiment_id"]
    if not experiment_id:
        raise InvalidArgumentError("experiment_id must not be empty")
    row = call.backend.database.read_now(lambda connection: experiments.get(connection, experiment_id))
    if row is None:
        raise not_found("experiment", experiment_id)
    return row
