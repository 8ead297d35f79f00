"""What is uploaded: looked at before it is sent, and sent as the API takes it.

Looking needs nothing of the platform; the API checks all of it again.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.packages import unpack
from sampan.components.pipelines.ui.spec import reading
from sampan.components.pipelines.ui.spec.steps import steps
from sampan.ui.api import Api, decoded, segment

ACCEPTED = ".yaml,.yml,.json,.zip,.gz,.tgz,.py"
_API = "/apis/v2beta1/pipelines"


@dataclass(frozen=True, slots=True)
class Looked:
    """What a file turned out to be: a name and a line about it, or what is wrong with it."""

    name: str = ""
    told: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class About:
    """What is said of a new pipeline or version."""

    name: str
    description: str = ""
    tags: Mapping[str, str] | None = None
    code_source_url: str = ""


def look(file_name: str, data: bytes) -> Looked:
    """Reads all of it: in a thread."""
    if file_name.endswith(".py"):
        return Looked(
            problem=f"{file_name} is Python, which is compiled where its packages are: "
            f"kfp dsl compile --py {file_name} --output pipeline.yaml, then upload pipeline.yaml. "
            f"Or compile and run it at once: sampan run {file_name}"
        )
    try:
        spec = reading.read(reading.from_text(unpack(data).decode()))
    except UnicodeDecodeError:
        return Looked(problem=f"{file_name} is neither text nor a package")
    except InvalidArgumentError as error:
        return Looked(problem=error.message)
    count, inputs = len(steps(spec)), len(spec.inputs)
    told = f"{spec.name}: {_counted(count, 'task')}, {_counted(inputs, 'input')}"
    return Looked(spec.name, f"{told}, compiled by {spec.compiler}" if spec.compiler else told)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


async def send_file(
    api: Api, data: bytes, about: About, *, namespace: str, pipeline_id: str = ""
) -> tuple[str, str]:
    """As a new pipeline, or as a version of the one that is named. Ids of both. Raises ApiFailureError."""
    query = {
        "name": about.name,
        "display_name": about.name,
        "description": about.description,
        "tags": json.dumps(about.tags) if about.tags else "",
        "code_source_url": about.code_source_url,
    }
    target = {"pipelineid": pipeline_id} if pipeline_id else {"namespace": namespace}
    path = f"{_API}/upload_version" if pipeline_id else f"{_API}/upload"
    content_type, body = _form(data)
    query = {key: value for key, value in {**query, **target}.items() if value}
    reply = await api.request("POST", path, query=query, body=body, content_type=content_type)
    found = await decoded(reply.body)
    if pipeline_id:
        return pipeline_id, found["pipeline_version_id"]
    return found["pipeline_id"], await _only_version(api, found["pipeline_id"])


async def send_address(
    api: Api, url: str, about: About, *, namespace: str, pipeline_id: str = ""
) -> tuple[str, str]:
    """The server fetches it. Ids of pipeline and version. Raises ApiFailureError."""
    named: dict[str, Any] = {"name": about.name, "display_name": about.name, "description": about.description}
    named["tags"] = dict(about.tags or {})
    source = {"package_url": {"pipeline_url": url}, "code_source_url": about.code_source_url}
    if pipeline_id:
        found = await api.post(f"{_API}/{segment(pipeline_id)}/versions", {**named, **source})
        return pipeline_id, found["pipeline_version_id"]
    given = {"pipeline": {**named, "namespace": namespace}, "pipeline_version": source}
    found = await api.post(f"{_API}/create", given, {"namespace": namespace})
    return found["pipeline_id"], await _only_version(api, found["pipeline_id"])


async def _only_version(api: Api, pipeline_id: str) -> str:
    listed = await api.get(f"{_API}/{segment(pipeline_id)}/versions", {"view": "BASIC", "page_size": "1"})
    return str(listed["pipeline_versions"][0]["pipeline_version_id"])


def _form(data: bytes) -> tuple[str, bytes]:
    """The one file of a form, with a boundary that is not in it."""
    boundary = secrets.token_hex(24)
    head = 'Content-Disposition: form-data; name="uploadfile"; filename="pipeline"\r\n'
    kind = "Content-Type: application/octet-stream\r\n\r\n"
    body = f"--{boundary}\r\n{head}{kind}".encode() + data + f"\r\n--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", body


def free_name(taken: set[str]) -> str:
    """For a further version: the first of v1, v2, … that is not taken, after as many as there are."""
    number = len(taken) + 1
    while f"v{number}" in taken:
        number += 1
    return f"v{number}"
