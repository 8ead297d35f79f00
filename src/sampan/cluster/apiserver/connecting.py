"""What admission is shown of requests that write no object: exec and its like, a Binding, an Eviction, a TokenRequest.

Source: k8s.io/apiserver/pkg/endpoints/handlers/rest.go (ConnectResource), pkg/apis/core/types.go, v1.33.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from sampan.cluster.apiserver.verbs import Verbs
from sampan.cluster.apiserver.writing import subject_of
from sampan.kube.kinds import Resource
from sampan.kube.meta import Object

_CONNECT = {
    "exec": ("", "v1", "PodExecOptions"),
    "attach": ("", "v1", "PodAttachOptions"),
    "portforward": ("", "v1", "PodPortForwardOptions"),
}
_CREATE = {
    "binding": ("", "v1", "Binding"),
    "eviction": ("policy", "v1", "Eviction"),
    "token": ("authentication.k8s.io", "v1", "TokenRequest"),
}
_FLAGS = ("stdin", "stdout", "stderr", "tty")


async def connect(
    verbs: Verbs, resource: Resource, metadata: Object, subresource: str, query_string: bytes
) -> None:
    """Raises ApiError where a webhook or a policy forbids it."""
    kind, query = _CONNECT[subresource], parse_qs(query_string.decode("latin-1"))
    subject = subject_of("CONNECT", resource, metadata, subresource, kind=kind)
    options: Object = {"kind": kind[2], "apiVersion": "v1"}
    options |= {flag: True for flag in _FLAGS if query.get(flag, [""])[0] in ("1", "true", "True")}
    if container := query.get("container"):
        options["container"] = container[0]
    if command := query.get("command"):
        options["command"] = command
    if ports := query.get("ports"):
        options["ports"] = [int(each) for each in ports if each.isdecimal()]
    await verbs.admit(subject, options)


async def create(
    verbs: Verbs, resource: Resource, name: str, namespace: str, body: Any, subresource: str
) -> tuple[str, ...]:
    """Of a sub-resource that is created. Returns warnings; raises ApiError."""
    group, version, kind = _CREATE[subresource]
    metadata = {"name": name, "namespace": namespace}
    subject = subject_of("CREATE", resource, metadata, subresource, kind=(group, version, kind))
    given = body if isinstance(body, dict) else {}
    shown = {"kind": kind, "apiVersion": f"{group}/{version}" if group else version, "metadata": metadata}
    return await verbs.admit(subject, {**shown, **given})
