"""Image references: `[registry/]repository[:tag][@digest]`, pure.

Called by the catalogue. Source of the grammar: github.com/distribution/reference, v0.6.0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sampan.cluster.node.environments.errors import InvalidImageNameError

DOCKER_HUB = "docker.io"
_LIBRARY = "library/"

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*\Z")
_HOST_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_REGISTRY = re.compile(rf"(?:{_HOST_LABEL}(?:\.{_HOST_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?\Z")
_TAG = re.compile(r"\w[\w.-]{0,127}\Z", re.ASCII)
_DIGEST = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}\Z")
_BARE_DIGEST = re.compile(r"[a-f0-9]{64}\Z")
_MAX_NAME = 255


@dataclass(frozen=True, slots=True)
class ImageReference:
    """Normalised: `python` is docker.io, library/python. `tag` and `digest` are empty where not given."""

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def name(self) -> str:
        """The name as people write it: without docker.io and library."""
        if self.registry == DOCKER_HUB:
            return self.repository.removeprefix(_LIBRARY)
        return f"{self.registry}/{self.repository}"

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"


def parse_image(image: str) -> ImageReference:
    """Raises InvalidImageNameError, saying which part is wrong."""
    if not image:
        raise InvalidImageNameError("The image name is empty: set the container's `image`.")
    if _BARE_DIGEST.match(image):
        raise _invalid(image, "64 hexadecimal digits are an image id, not a name")
    rest, at, digest = image.partition("@")
    if at and not _DIGEST.match(digest):
        raise _invalid(image, f'the digest "{digest}" is not of the form sha256:<64 hexadecimal digits>')
    # A colon before the last slash belongs to the registry's port.
    slash = rest.rfind("/")
    colon = rest.find(":", slash + 1)
    name, tag = (rest[:colon], rest[colon + 1 :]) if colon >= 0 else (rest, "")
    if colon >= 0 and not _TAG.match(tag):
        raise _invalid(image, f'the tag "{tag}" may hold letters, digits, ".", "_" and "-" only')
    registry, repository = _split_registry(name)
    if not _REGISTRY.match(registry):
        raise _invalid(image, f'"{registry}" is not a registry host')
    if not _REPOSITORY.match(repository):
        hint = "; names are lower case" if repository.lower() != repository else ""
        raise _invalid(image, f'"{repository}" is not a repository name{hint}')
    if len(name) > _MAX_NAME:
        raise _invalid(image, f"the name is longer than {_MAX_NAME} characters")
    return ImageReference(registry, repository, tag, digest)


def _split_registry(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    is_registry = "." in first or ":" in first or first == "localhost" or first.lower() != first
    if not slash or not is_registry:
        return DOCKER_HUB, name if slash else _LIBRARY + name
    if first in ("index.docker.io", "registry-1.docker.io", DOCKER_HUB):
        return DOCKER_HUB, rest if "/" in rest else _LIBRARY + rest
    return first, rest


def _invalid(image: str, why: str) -> InvalidImageNameError:
    return InvalidImageNameError(f'The image name "{image}" is not valid: {why}.')
