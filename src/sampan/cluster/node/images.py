"""Images for pods that run in containers: pulled by podman as the pull policy says, and what they say of themselves.

Called by `starting`, one image for each start of a container. Failures are those of an environment, with the
kubelet's reasons. Source of the policies: kubernetes/pkg/kubelet/images/image_manager.go, v1.31.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sampan.client.protocol import Object, Reader
from sampan.cluster.node.environments import EnvironmentsError, ImageNeverPullError
from sampan.cluster.node.environments.image import ImageReference, parse_image
from sampan.cluster.node.runtimes.podman import Podman
from sampan.cluster.node.runtimes.protocol import RuntimeFailureError
from sampan.kube import meta
from sampan.kube.errors import NotFoundError
from sampan.kube.kinds import SECRETS
from sampan.lib.threads import to_end

_LOCAL = "localhost"
"""Podman's registry for images that were made on this machine: it cannot be asked for anything."""
_PULL_SECONDS = 3600.0


class ImagePullError(EnvironmentsError):
    """The image is not here and cannot be had; the reason is podman's."""


@dataclass(frozen=True, slots=True)
class ContainerImage:
    """An image that is here."""

    id: str
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""
    digest: str = ""


class Images:
    """For one event loop. `folder` holds the credentials of pulls, while they last."""

    def __init__(self, podman: Podman, client: Reader, folder: Path) -> None:
        self._podman = podman
        self._client = client
        self._folder = folder
        self._locks: dict[str, asyncio.Lock] = {}

    async def get(
        self, pod: Object, container: Mapping[str, Any], on_pull: Callable[[], None]
    ) -> ContainerImage:
        """`on_pull` is called before something is downloaded. Raises EnvironmentsError."""
        name = str(container.get("image") or "")
        reference = parse_image(name)
        try:
            # Whatever is wrong with podman is told before anything is downloaded.
            await self._podman.options()
            async with self._locks.setdefault(name, asyncio.Lock()):
                found = await self._present(name, reference, str(container.get("imagePullPolicy") or ""))
                if found is None:
                    on_pull()
                    found = await self._pull(pod, name, reference)
                return image_of(found)
        except RuntimeFailureError as error:
            raise ImagePullError(error.message) from error

    async def _present(self, name: str, reference: ImageReference, policy: str) -> dict[str, Any] | None:
        """What need not be pulled."""
        found = await self._podman.inspect("image", name) or await self._podman.inspect(
            "image", full(reference)
        )
        if policy == "Never" and found is None:
            raise ImageNeverPullError(f'Container image "{name}" is not present with pull policy of Never')
        if found is not None and policy == "Always" and not _is_local(found):
            return None
        return found

    async def _pull(self, pod: Object, name: str, reference: ImageReference) -> dict[str, Any]:
        credentials = await self._credentials(pod)
        file = self._folder / f"auth-{secrets.token_hex(6)}.json"
        options: list[str] = []
        try:
            if credentials:
                await to_end(_write_secret, file, json.dumps({"auths": credentials}))
                options = ["--authfile", str(file)]
            answer = await self._podman.call(
                "pull", "--quiet", *options, full(reference), seconds=_PULL_SECONDS
            )
        finally:
            file.unlink(missing_ok=True)
        if answer.code:
            raise ImagePullError(f'failed to pull image "{name}": {answer.why}')
        found = await self._podman.inspect("image", full(reference))
        if found is None:
            raise ImagePullError(f'failed to pull image "{name}": it was pulled, and is not there')
        return found

    async def _credentials(self, pod: Object) -> dict[str, Any]:
        """Of all the pod's imagePullSecrets; one that is missing or not of this kind counts for nothing."""
        found: dict[str, Any] = {}
        for reference in meta.spec(pod).get("imagePullSecrets") or ():
            try:
                secret = await self._client.get(
                    SECRETS, str(reference.get("name") or ""), meta.namespace(pod)
                )
            except NotFoundError:
                continue
            found = {**credentials_of(secret), **found}
        return found


def full(reference: ImageReference) -> str:
    """The name with its registry, so that podman has nothing to guess."""
    tag = f":{reference.tag}" if reference.tag and not reference.digest else ""
    digest = f"@{reference.digest}" if reference.digest else ""
    return f"{reference.registry}/{reference.repository}{tag or ('' if digest else ':latest')}{digest}"


def image_of(found: Mapping[str, Any]) -> ContainerImage:
    """From what podman says of an image."""
    config = found.get("Config") or {}
    return ContainerImage(
        id=str(found["Id"]),
        entrypoint=tuple(str(each) for each in config.get("Entrypoint") or ()),
        command=tuple(str(each) for each in config.get("Cmd") or ()),
        user=str(config.get("User") or found.get("User") or ""),
        digest=next(iter(found.get("RepoDigests") or ()), ""),
    )


def credentials_of(secret: Object) -> dict[str, Any]:
    """The registries of a Secret of either type, as an authfile has them."""
    data = secret.get("data") or {}
    for key in (".dockerconfigjson", ".dockercfg"):
        if key not in data:
            continue
        try:
            document = json.loads(base64.b64decode(data[key]))
        except (ValueError, binascii.Error):
            return {}
        auths = document.get("auths") if key == ".dockerconfigjson" else document
        if not isinstance(auths, dict):
            return {}
        return {str(host): _entry(entry) for host, entry in auths.items() if isinstance(entry, dict)}
    return {}


def _entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    if entry.get("auth") or "username" not in entry:
        return dict(entry)
    pair = f"{entry['username']}:{entry.get('password', '')}"
    return {"auth": base64.b64encode(pair.encode()).decode()}


def _is_local(found: Mapping[str, Any]) -> bool:
    return any(
        str(tag).startswith(_LOCAL + "/") for tag in found.get("RepoTags") or found.get("NamesHistory") or ()
    )


def _write_secret(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
