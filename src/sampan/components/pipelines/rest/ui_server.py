"""What the user interface's own server answers beside the API: pods, and what only some installations have.

It says so where there is nothing: no project of a cloud, no code of users in visualizations, no TensorBoards. Artifacts
are next door, in `artifact_files`, logs in `logs`.

Source: kubeflow/pipelines 2.17, frontend/server/{app.ts,handlers}.
"""

from __future__ import annotations

from starlette.responses import PlainTextResponse, Response

from sampan.client.protocol import ListOptions
from sampan.components.pipelines.api.errors import InvalidArgumentError, UnimplementedError
from sampan.components.pipelines.rest.dispatch import Call, answer
from sampan.kube.kinds import EVENTS, PODS

_TENSORBOARDS = (
    "TensorBoards are not started here: run tensorboard on the artifact's folder, or on a download of it"
)


async def get_pod(call: Call) -> Response:
    return answer(await call.backend.client.get(PODS, _pod_name(call), call.namespace))


async def get_pod_events(call: Call) -> Response:
    selector = f"involvedObject.name={_pod_name(call)}"
    found = await call.backend.client.list(EVENTS, call.namespace, ListOptions(field_selector=selector))
    return answer({"apiVersion": "v1", "kind": "EventList", "items": found.items})


async def no_cloud(call: Call) -> Response:
    """The name of a cluster, the id of a project: only Google's clusters have them."""
    return PlainTextResponse("GKE metadata endpoints are disabled.", 500)


async def custom_visualizations_allowed(call: Call) -> Response:
    return answer(False)


async def get_tensorboard(call: Call) -> Response:
    """Which TensorBoard shows a folder of logs: none."""
    if not call.query.get("logdir"):
        raise InvalidArgumentError("logdir must name a folder of logs")
    return answer({"proxyPath": "", "tfVersion": "", "image": ""})


async def no_tensorboard(call: Call) -> Response:
    raise UnimplementedError(_TENSORBOARDS)


def _pod_name(call: Call) -> str:
    name = call.query.get("podname", "")
    if not name or "," in name or "=" in name:
        raise InvalidArgumentError("podname must name a pod")
    return name
