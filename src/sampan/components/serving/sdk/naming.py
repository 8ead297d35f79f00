"""Names of endpoints: what may be one, and which follows from a model's own name."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from sampan.components.serving.sdk.errors import ServingError

_LONGEST = 45
"""Names of revisions and their pods begin with it, and are names of DNS."""
_VALID = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?\Z")
_NO_NAME = re.compile(r"[^a-z0-9]+")
_GENERAL = frozenset(("model", "models", "output", "data", "artifact", "trained", "saved", "weights", "1"))


def check(name: str) -> str:
    """Raises ServingError."""
    if len(name) > _LONGEST or not _VALID.match(name):
        raise ServingError(
            f"name {name!r}: it has lower-case letters, digits and dashes, begins with a letter, ends with a letter or "
            f"digit, and is at most {_LONGEST} long"
        )
    return name


def made(*candidates: str) -> str:
    """From the first that says something."""
    plain = [each for each in (_plain(text) for text in candidates) if each]
    return next((each for each in plain if each not in _GENERAL), plain[0] if plain else "model")


def of_uri(uri: str) -> str:
    path = PurePosixPath(urlsplit(uri).path or uri)
    stem = path.name.split(".")[0]
    return made(stem, path.parent.name, path.parent.parent.name)


def _plain(text: str) -> str:
    found = _NO_NAME.sub("-", text.lower()).strip("-").lstrip("0123456789-")
    return found[:_LONGEST].strip("-")
