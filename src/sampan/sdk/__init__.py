"""What the official SDKs lack: `from sampan.sdk import Client, remote, serve, tune`.

`Client` is for runs of pipelines (`pipelines`), `light` marks light steps, `remote` runs functions and notebooks as
jobs, `tune` finds the best parameters of a function in a space that `search` has the words for, `serve` makes endpoints
of models and functions. All are clients: neither the server nor a database is imported (a contract of .importlinter).
"""

from sampan.client.http import HttpError
from sampan.components.pipelines.api.light import light
from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.sdk import DebugPod, Planned, Task
from sampan.components.serving.sdk.errors import ServingError
from sampan.components.serving.sdk.handle import Endpoint
from sampan.components.training.sdk.calls import RemoteError
from sampan.components.training.sdk.remote import RemoteJob
from sampan.components.tuning.sdk import search
from sampan.components.tuning.sdk.handle import Tuning, TuningError
from sampan.sdk.pipelines import Artifact, Client, Run
from sampan.sdk.sending import remote, serve, tune

__all__ = [
    "Artifact",
    "Client",
    "DebugPod",
    "Endpoint",
    "HttpError",
    "Planned",
    "RemoteError",
    "RemoteJob",
    "Run",
    "RuntimeState",
    "ServingError",
    "Task",
    "Tuning",
    "TuningError",
    "light",
    "remote",
    "search",
    "serve",
    "tune",
]
