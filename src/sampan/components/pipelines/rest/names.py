"""What names and tags may be, as upstream bounds them.

Source: kubeflow/pipelines 2.17, backend/src/apiserver/{validation/length.go,model/pipeline_tags.go}.
"""

from __future__ import annotations

from collections.abc import Mapping

from sampan.components.pipelines.api.errors import InvalidArgumentError

MAX_PIPELINE_NAME = 128
MAX_VERSION_NAME = 127
_MAX_TAGS = 20
_MAX_TAG_LENGTH = 63


def checked_name(name: str, path: str, limit: int) -> str:
    """`name`, if it is one. Raises InvalidArgumentError naming `path`."""
    if not name.strip():
        raise InvalidArgumentError(f"{path} must not be empty")
    if len(name) > limit:
        raise InvalidArgumentError(f"{path} is {len(name)} characters long; at most {limit} are allowed")
    if any(ord(character) < 0x20 or character == "\x7f" for character in name):
        raise InvalidArgumentError(f"{path} must not hold control characters")
    return name


def checked_tags(tags: Mapping[str, str], path: str) -> dict[str, str]:
    """`tags`, if they are within bounds. Raises InvalidArgumentError naming the key that is not."""
    if len(tags) > _MAX_TAGS:
        raise InvalidArgumentError(f"{path} has {len(tags)} tags; at most {_MAX_TAGS} are allowed")
    for key, value in tags.items():
        if not key or "." in key:
            raise InvalidArgumentError(f"{path}: the key {key!r} must not be empty or hold a dot")
        if len(key) > _MAX_TAG_LENGTH or len(value) > _MAX_TAG_LENGTH:
            raise InvalidArgumentError(
                f"{path}.{key[:_MAX_TAG_LENGTH]}: keys and values have at most {_MAX_TAG_LENGTH} characters"
            )
    return dict(tags)
