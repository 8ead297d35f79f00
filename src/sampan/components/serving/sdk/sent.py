"""A function, or an object with `predict`, as the container that serves it: code in ConfigMaps, started by `sent.boot`.

The code travels as training's and tuning's does (decision 43). Nothing is unpickled but in the endpoint's own pod.
"""

from __future__ import annotations

import base64
import hashlib
import inspect
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sampan.components.serving.api.labels import CONTAINER
from sampan.components.serving.sdk.errors import ServingError
from sampan.components.serving.sdk.plan import MANAGED_BY
from sampan.components.serving.sdk.program import SERVED
from sampan.kube.meta import Object
from sampan.sent.boot import BOOT
from sampan.sent.functions import pickled, pickler_files
from sampan.sent.sources import archive_of

IMAGE = "sampan/model-server"
_CODE, _VOLUME = "/sampan/code", "sampan-code"
_PART_BYTES = 700_000
_PROGRAM = "model.py"


@dataclass(frozen=True, slots=True)
class Sent:
    container: Object
    volumes: list[Object]
    maps: list[Object]


def pack(target: Any) -> bytes:
    """The archive. Raises SourcesError for what cannot be sent, ServingError for what cannot be served."""
    _check(target)
    files = {_PROGRAM: SERVED.encode(), "function.pkl": pickled(target, "what is served")}
    return archive_of({**files, **pickler_files()})


def container_of(
    names: tuple[str, str], archive: bytes, image: str = "", packages: Sequence[str] = ()
) -> Sent:
    """`names` are the endpoint's and its namespace."""
    name, namespace = names
    # A change of the code is one of the pods, and so a revision; the one before keeps its own.
    digest = hashlib.sha256(archive + "\n".join(packages).encode()).hexdigest()[:10]
    parts = [archive[at : at + _PART_BYTES] for at in range(0, len(archive), _PART_BYTES)]
    maps = [
        _map(f"{name}-code-{digest}-{number}", namespace, number, part) for number, part in enumerate(parts)
    ]
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    env = [{"name": "SAMPAN_MODEL_NAME", "value": name}]
    if packages:
        env.append({"name": "SAMPAN_PACKAGES", "value": "\n".join(packages)})
    words = [f"--model_name={name}", "--http_port=8080"]
    container = {
        "name": CONTAINER,
        "image": image or f"{IMAGE}:{version}",
        "command": ["python3", f"{_CODE}/boot.py", "python", _PROGRAM],
        "args": words,
        "env": env,
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "volumeMounts": [{"name": _VOLUME, "mountPath": _CODE, "readOnly": True}],
    }
    sources = [{"configMap": {"name": each["metadata"]["name"]}} for each in maps]
    return Sent(container, [{"name": _VOLUME, "projected": {"sources": sources}}], maps)


def _map(name: str, namespace: str, number: int, part: bytes) -> Object:
    made: Object = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(MANAGED_BY)},
        "binaryData": {f"code.{number:03}": base64.b64encode(part).decode()},
    }
    if number == 0:
        made["data"] = {"boot.py": BOOT}
    return made


def _check(target: Any) -> None:
    called = target
    if inspect.isclass(target):
        try:
            inspect.signature(target).bind()
        except TypeError as error:
            raise ServingError(
                f"{target.__name__} must be made without arguments to be served: {error}"
            ) from error
        except ValueError:
            pass
        called = getattr(target, "predict", None)
    elif hasattr(target, "predict"):
        called = target.predict
    if not callable(called):
        raise ServingError(
            f"{target!r} cannot be served: give a file, a URI, a function of a list of rows, or an object that has "
            "`predict`"
        )
    if called is target and not inspect.isclass(target):
        try:
            inspect.signature(target).bind([])
        except TypeError as error:
            raise ServingError(f"the function is called with one list of rows: {error}") from error
        except ValueError:
            pass
