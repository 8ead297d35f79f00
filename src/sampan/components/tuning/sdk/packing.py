"""A function, its space and what is fixed as the archive that pods get. No cluster here."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

from sampan.components.tuning.sdk.program import STUB, TRIAL
from sampan.components.tuning.sdk.search import Space
from sampan.sent.functions import pickled, pickler_files
from sampan.sent.sources import SourcesError, archive_of

MOST_FUNCTION_BYTES = 8 * 1024 * 1024
PROGRAM = "trial.py"


def pack(
    function: Callable[..., Any], space: Mapping[str, Space], fixed: Mapping[str, Any], objective: str
) -> bytes:
    """Raises SourcesError for what cannot be sent, or cannot be called so."""
    style = style_of(function, (*space, *fixed))
    reading = {name: each.reading() for name, each in space.items()}
    data = pickled((function, reading, dict(fixed)), "the function")
    if len(data) > MOST_FUNCTION_BYTES:
        raise SourcesError(
            f"the function is too large ({len(data) / 2**20:.1f} MiB with what it closes over, at most "
            f"{MOST_FUNCTION_BYTES >> 20} MiB): have it read its data from a file or an object store"
        )
    wanted = {
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "style": style,
        "objective": objective,
    }
    stub = {"_sampan/sampan/__init__.py": b"", "_sampan/sampan/sdk/__init__.py": STUB.encode()}
    return archive_of(
        {
            PROGRAM: TRIAL.encode(),
            "call.pkl": data,
            "call.json": json.dumps(wanted).encode(),
            **stub,
            **pickler_files(),
        }
    )


def style_of(function: Callable[..., Any], names: tuple[str, ...]) -> str:
    """`keywords` for one that takes the parameters by name, `dict` for one that takes all in one, as kubeflow-katib's.

    Raises SourcesError for one that takes them in neither way.
    """
    if not callable(function):
        raise SourcesError(f"what is tuned must be a function, not {function!r}")
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return "keywords"
    try:
        signature.bind(**dict.fromkeys(names))
    except TypeError as refused:
        positional = [
            each
            for each in signature.parameters.values()
            if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD) and each.default is each.empty
        ]
        if len(positional) == 1 and positional[0].name not in names:
            return "dict"
        raise SourcesError(
            f"the function must take {', '.join(names)} by name, or all of them as one dict: {refused}"
        ) from None
    return "keywords"
