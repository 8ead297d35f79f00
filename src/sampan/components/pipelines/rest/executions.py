"""Steps over all runs, as a list of their own: Sampan's, in the place of upstream's executions of a metadata store."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from starlette.responses import Response

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.api.wire import present, time_of
from sampan.components.pipelines.rest import scopes
from sampan.components.pipelines.rest.authorise import Resource, Verb
from sampan.components.pipelines.rest.dispatch import Call, Endpoint, answer_from
from sampan.components.pipelines.store import executions
from sampan.components.pipelines.store.executions import STEPS, ExecutionFilter, Place

_PAGE, _MOST = 20, 200
_LONGEST_TEXT = 256


def endpoints() -> list[Endpoint]:
    path = "/apis/v2beta1/executions"
    return [Endpoint("GET", path, Verb.LIST, Resource.RUNS, scopes.requested, list_executions)]


async def list_executions(call: Call) -> Response:
    """The newest run's first. `search` in names, `state` (several times), `all_types` for what holds steps together."""
    wanted = ExecutionFilter(
        call.namespace,
        text=call.query.get("search", "")[:_LONGEST_TEXT],
        states=_states(call.query.getlist("state")),
        types=() if call.query_flag("all_types") else STEPS,
    )
    size = min(max(call.query_int("page_size") or _PAGE, 1), _MOST)
    after = _place(call.query.get("page_token", ""))

    def read(connection: Any) -> dict[str, Any]:
        found = executions.list_executions(connection, wanted, after, size)
        return present(
            executions=[_execution(task, run) for task, run in found.items],
            next_page_token=_token(found.after) if found.after is not None else "",
        )

    return await answer_from(call, read)


def _execution(task: Any, run: Any) -> dict[str, Any]:
    attempts = json.loads(task.attempts)
    # One whose failure waits for its user's word has failed; it is the run that is paused.
    state = RuntimeState.FAILED if task.state == RuntimeState.PAUSED else task.state
    return present(
        task_id=task.task_id,
        name=task.name,
        display_name=task.display_name,
        type=task.type,
        state=str(state),
        iteration_index=str(task.iteration_index) if task.iteration_index >= 0 else "",
        run_id=run.run_id,
        run=run.display_name,
        pipeline=run.pipeline_name,
        create_time=time_of(task.created_at),
        start_time=time_of(task.started_at) if task.started_at else "",
        end_time=time_of(task.finished_at) if task.finished_at else "",
        error=task.error,
        pod=attempts[-1]["pod"] if attempts else "",
        attempts=len(attempts),
        cached_from_task_id=task.cached_from_task_id,
    )


def _states(given: list[str]) -> tuple[str, ...]:
    names = [state for each in given if each for state in each.split(",")]
    for name in names:
        if name not in set(RuntimeState):
            raise InvalidArgumentError(f"state must be one of {', '.join(RuntimeState)}, not {name[:40]!r}")
    return tuple(names)


def _token(place: Place) -> str:
    parts = [place.run_at, place.run_id, place.task_at, place.task_id]
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


def _place(token: str) -> Place | None:
    if not token:
        return None
    refused = InvalidArgumentError(
        "page_token is not one that this list gave out: ask for the first page again"
    )
    try:
        run_at, run_id, task_at, task_id = json.loads(
            base64.b64decode(token.encode(), altchars=b"-_", validate=True)
        )
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise refused from error
    numbers, texts = (run_at, task_at), (run_id, task_id)
    if not all(type(each) is int and 0 <= each < 2**63 for each in numbers):
        raise refused
    if not all(isinstance(each, str) and len(each) <= 64 for each in texts):
        raise refused
    return Place(run_at, run_id, task_at, task_id)
