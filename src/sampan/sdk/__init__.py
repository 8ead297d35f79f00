"""What the official SDKs lack: `from sampan.sdk import Client, remote`.

`Client` is for runs of pipelines (`pipelines`), `light` marks light steps, `remote` runs functions and notebooks as
jobs. All are clients: neither the server nor a database is imported (a contract of .importlinter).
"""

from sampan.client.http import HttpError
from sampan.components.pipelines.api.light import light
from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.sdk import DebugPod, Planned, Task
from sampan.components.training.sdk.calls import RemoteError
from sampan.components.training.sdk.remote import RemoteJob
from sampan.sdk.pipelines import Artifact, Client, Run
from sampan.sdk.sending import remote

__all__ = [
    "Artifact",
    "Client",
    "DebugPod",
    "HttpError",
    "Planned",
    "RemoteError",
    "RemoteJob",
    "Run",
    "RuntimeState",
    "Task",
    "light",
    "remote",
]
