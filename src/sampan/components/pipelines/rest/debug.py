"""Looking around where a step ran: an extension of Sampan's own.

`POST …/runs/{run_id}/nodes/{node_id}:debug` gives a pod, which is entered through the Kubernetes API, and removed by
`DELETE …/runs/{run_id}/debug/{pod}`.
"""

from __future__ import annotations

from starlette.responses import Response

from sampan.components.pipelines.api.wire import present
from sampan.components.pipelines.rest.dispatch import Call, answer
from sampan.components.pipelines.rest.nodes import find_task


async def open_(call: Call) -> Response:
    task = await find_task(call, call.params["node_id"])
    engine = await call.backend.engine()
    attempt, is_new = call.body.get("attempt", 0), bool(call.body.get("new"))
    found = await engine.debug(task.run_id, task.task_id, attempt, is_new=is_new)
    return answer(
        present(
            pod=found.pod,
            namespace=found.namespace,
            container=found.container,
            new=found.is_new,
            task=task.scope_path.partition("/")[2],
        )
    )


async def state(call: Call) -> Response:
    engine = await call.backend.engine()
    found = await engine.debug_state(call.params["run_id"], call.params["pod"])
    return answer(present(**found))


async def close(call: Call) -> Response:
    engine = await call.backend.engine()
    await engine.end_debug(call.params["run_id"], call.params["pod"])
    return answer({})
