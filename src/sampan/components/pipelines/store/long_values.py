"""Values as lists show them: of a long one the beginning. Whoever asks for the one row gets it whole. Pure.

A parameter may have many megabytes, and a page two hundred rows. Called by the modules of the tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

MOST_CHARACTERS = 64 * 1024
"""Of one value, as JSON."""
MOST_SPEC_CHARACTERS = 1024 * 1024
"""Of a run's specification, which is left out of lists when it is longer."""
_SHOWN = 1000


def short_value(value: Any) -> Any:
    """A long value's beginning, as text, and how long it is."""
    if isinstance(value, str):
        text = value
    elif isinstance(value, dict | list):
        text = msgspec.json.encode(value).decode()
    else:
        return value
    if len(text) <= MOST_CHARACTERS:
        return value
    return f"{text[:_SHOWN]}… ({len(text)} characters; ask for this one alone to see all)"


def short_values(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: short_value(value) for name, value in values.items()}
