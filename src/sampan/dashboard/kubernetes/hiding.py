"""What of an object is not shown before somebody asks: values of Secrets, and variables that sound like one. Pure."""

from __future__ import annotations

import base64
import binascii
import copy
import re
from collections.abc import Mapping
from typing import Any

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""kubectl keeps all that it was given here; of a Secret, its values too."""
PLACEHOLDER = "<hidden>"

_SOUNDS_SECRET = re.compile(
    r"pass(word|wd|phrase)?|secret|token|credential|api_?key|access_?key|private_?key", re.I
)


def sounds_secret(name: str) -> bool:
    """Of a variable's name. One that names a file or an address holds no secret itself."""
    return bool(_SOUNDS_SECRET.search(name)) and not name.lower().endswith(
        ("_file", "_path", "_url", "_name")
    )


def size(encoded: str) -> str:
    """Of a value in base64."""
    count = len(encoded) * 3 // 4 - encoded.count("=")
    return f"{count:,} byte" if count == 1 else f"{count:,} bytes"


def decoded(encoded: str) -> str:
    """A value of a Secret as a text; what is none, as it is encoded."""
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, ValueError):
        return encoded


def without_secrets(obj: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of which no value of a Secret can be read. Of other kinds the object as it is."""
    found = copy.deepcopy(dict(obj))
    if found.get("kind") != "Secret":
        return found
    for part in ("data", "stringData"):
        if isinstance(found.get(part), dict):
            found[part] = dict.fromkeys(found[part], PLACEHOLDER)
    notes = (found.get("metadata") or {}).get("annotations")
    if isinstance(notes, dict) and LAST_APPLIED in notes:
        notes[LAST_APPLIED] = PLACEHOLDER
    return found
