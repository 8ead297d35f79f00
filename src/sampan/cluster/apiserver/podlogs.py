"""The seam to whoever keeps the output of containers: the node agent provides it, the log sub-resource reads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Protocol

from sampan.client.protocol import LogOptions
from sampan.kube import meta
from sampan.kube.errors import BadRequestError, ServiceUnavailableError
from sampan.kube.meta import Object


class PodLogs(Protocol):
    """Reads what containers wrote. Used in one event loop; must not block it."""

    def read(self, pod: Object, options: LogOptions) -> AsyncIterator[bytes]:
        """Chunks of the output of `options.container`, which is set and exists in the pod.

        With `follow`, ends when the container has ended and everything was delivered. Raises BadRequestError for
        a container that is not started yet, and for a previous one that there was not.
        """
        ...


def stream(pod_logs: PodLogs | None, pod: Object, options: LogOptions) -> AsyncIterator[bytes]:
    """Settles which container is meant. Raises BadRequestError naming the choices when it is not clear."""
    if pod_logs is None:
        raise ServiceUnavailableError("no node of this cluster keeps logs")
    return pod_logs.read(pod, replace(options, container=chosen_container(pod, options.container)))


def chosen_container(pod: Object, container: str) -> str:
    """The one that is meant. Raises BadRequestError naming the choices when it is not clear.

    Source: pkg/registry/core/pod/strategy.go, validateContainer, v1.31.
    """
    name, spec = meta.name(pod), meta.spec(pod)
    regular = [each["name"] for each in spec.get("containers") or ()]
    init = [each["name"] for each in spec.get("initContainers") or ()]
    ephemeral = [each["name"] for each in spec.get("ephemeralContainers") or ()]
    if container:
        if container not in (*regular, *init, *ephemeral):
            raise BadRequestError(f"container {container} is not valid for pod {name}")
        return container
    if len(regular) > 1:
        raise BadRequestError(
            f"a container name must be specified for pod {name}, choose one of: [{' '.join(regular)}]"
            + (f" or one of the init containers: [{' '.join(init)}]" if init else "")
            + (f" or one of the ephemeral containers: [{' '.join(ephemeral)}]" if ephemeral else "")
        )
    return str(regular[0])
