"""The seam to whoever runs containers, for streams into them: the node agent provides it, exec, attach and port-forward
use it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from sampan.client.streams import AttachOptions, Duplex, ExecOptions, Execution
from sampan.cluster.apiserver.podlogs import chosen_container
from sampan.kube import meta
from sampan.kube.errors import BadRequestError, ServiceUnavailableError
from sampan.kube.meta import Object


class PodStreams(Protocol):
    """Used in one event loop; must not block it. `options.container` is set and exists in the pod."""

    async def exec(self, pod: Object, options: ExecOptions) -> Execution:
        """Raises InternalError for a container that does not run."""
        ...

    async def attach(self, pod: Object, options: AttachOptions) -> Execution:
        """Raises InternalError for a container that does not run."""
        ...

    async def connect(self, pod: Object, port: int) -> Duplex:
        """A connection to a port of the pod. Raises OSError, whose text is for people."""
        ...


def checked_exec(pod: Object, options: ExecOptions) -> ExecOptions:
    """With the container settled. Raises BadRequestError as a real API server and its kubelets do."""
    _check_host(pod)
    if not options.command:
        raise BadRequestError("you must specify at least one command for the container")
    return replace(options, container=chosen_container(pod, options.container), stderr=_stderr(options))


def checked_attach(pod: Object, options: AttachOptions) -> AttachOptions:
    """Likewise."""
    _check_host(pod)
    container = chosen_container(pod, options.container)
    return replace(options, container=container, stderr=_stderr(options))


def checked_port(pod: Object, port: str) -> int:
    """Raises BadRequestError."""
    if not (port.isascii() and port.isdigit() and 0 < int(port[:8]) < 65536):
        raise BadRequestError(f"unable to parse {port!r} as a port")
    return int(port)


def served(streams: PodStreams | None) -> PodStreams:
    """Raises ServiceUnavailableError where no node is."""
    if streams is None:
        raise ServiceUnavailableError("no node of this cluster runs containers")
    return streams


def _check_host(pod: Object) -> None:
    if not meta.spec(pod).get("nodeName"):
        raise BadRequestError(f"pod {meta.name(pod)} does not have a host assigned")


def _stderr(options: ExecOptions | AttachOptions) -> bool:
    """A terminal has one output."""
    if not (options.stdin or options.stdout or options.stderr):
        raise BadRequestError("you must specify at least 1 of stdin, stdout, stderr")
    return options.stderr and not options.tty
