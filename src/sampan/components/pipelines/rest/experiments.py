"""The experiment service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
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
from sampan.components.pipelines.store import experiment_facts, experiments
from sampan.components.pipelines.store.experiments import ExperimentRow
from sampan.components.pipelines.store.listing import Page
from sampan.lib.ids import new_uid

_MAX_NAME = 128


async def create(call: Call) -> Response:
    return answer(render.experiment(await new_experiment(call, "display_name"), call.shown_namespace))


async def new_experiment(call: Call, name_field: str) -> ExperimentRow:
    """What the body describes, stored."""
    path = f"experiment.{name_field}"
    row = ExperimentRow(
        experiment_id=new_uid(),
        namespace=call.namespace,
        display_name=checked_name(call.body.get(name_field, ""), path, _MAX_NAME),
        description=call.body.get("description", ""),
        created_at=call.backend.now_micros(),
    )
    if not await call.backend.database.write(lambda connection: experiments.insert(connection, row)):
        raise AlreadyExistsError(
            f"{path}: there already is an experiment {row.display_name!r}; take another name"
        )
    return row


async def get(call: Call) -> Response:
    row = named(call)
    if not _is_full(call):
        return answer(render.experiment(row, call.shown_namespace))
    return await answer_from(call, lambda connection: _full(call, connection, [row])[0])


async def list_(call: Call) -> Response:
    request, namespace, shown = call.list_request(), call.namespace, call.shown_namespace
    full = _is_full(call)

    def read(connection: Any) -> dict[str, Any]:
        page = experiments.list_page(connection, request, namespace)
        if full:
            items = _full(call, connection, page.items)
            return render.page("experiments", Page(items, page.total_size, page.next_page_token))
        return render.page("experiments", page.mapped(lambda row: render.experiment(row, shown)))

    return await answer_from(call, read)


async def update(call: Call) -> Response:
    """Changes name and description, of which what is not given stays. An extension: upstream's never change."""
    row, given = named(call), call.body
    changed = replace(row, description=given.get("description", row.description))
    if "display_name" in given:
        name = checked_name(given["display_name"], "experiment.display_name", _MAX_NAME)
        if row.display_name == experiments.DEFAULT_NAME != name:
            raise FailedPreconditionError(
                f"the experiment {row.display_name!r} takes runs that name no experiment and keeps its name"
            )
        changed = replace(changed, display_name=name)
    if not await call.backend.database.write(lambda connection: experiments.update(connection, changed)):
        raise AlreadyExistsError(
            f"experiment.display_name: there already is an experiment {changed.display_name!r}; take another name"
        )
    return answer(render.experiment(changed, call.shown_namespace))


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


def _is_full(call: Call) -> bool:
    view = call.query.get("view", "") or "BASIC"
    if view not in ("BASIC", "FULL"):
        raise InvalidArgumentError(f"view must be BASIC or FULL, not {view[:40]!r}")
    return view == "FULL"


def _full(call: Call, connection: Any, rows: Sequence[ExperimentRow]) -> list[dict[str, Any]]:
    """With what is known of them beyond their own rows."""
    ids = [row.experiment_id for row in rows]
    found = experiment_facts.of_experiments(connection, call.namespace, ids)
    return [
        render.experiment(row, call.shown_namespace) | render.experiment_facts(found[row.experiment_id])
        for row in rows
    ]
