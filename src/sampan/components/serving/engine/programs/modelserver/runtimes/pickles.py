"""Models that Python wrote: skops files, which name what they hold before anything of it is made, and pickles.

A pickle runs code of its author when it is read. It is read here, in the pod of the user whose model it is, and nowhere
else (docs/serving.md says so). skops files come first; of theirs every type is trusted that the environment has,
unless `SKOPS_TRUSTED=false` says that only skops' own list is.
"""

from __future__ import annotations

import importlib
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sampan.components.serving.engine.programs.modelserver.contract import LoadError

SKOPS = (".skops",)
PICKLES = (".joblib", ".pkl", ".pickle")


def read_object(file: Path, options: Mapping[str, str]) -> Any:
    """Raises LoadError."""
    try:
        if file.name.lower().endswith(SKOPS):
            return _read_skops(file, options)
        return importlib.import_module("joblib").load(file)
    except LoadError:
        raise
    except ModuleNotFoundError as error:
        raise LoadError(
            f"{file.name} needs the Python module {error.name!r}, which this environment does not have: use a runtime "
            "whose image has it, or an image of your own (docs/images.md)"
        ) from error
    except Exception as error:
        raise LoadError(
            f"{file.name} cannot be read: {type(error).__name__}: {error}. {_versions(error)}"
        ) from error


def _read_skops(file: Path, options: Mapping[str, str]) -> Any:
    skops = importlib.import_module("skops.io")
    unknown = skops.get_untrusted_types(file=file)
    if unknown and options.get("SKOPS_TRUSTED", "true").lower() == "false":
        raise LoadError(
            f"{file.name} holds types that skops does not trust: {', '.join(unknown)}. "
            "Leave SKOPS_TRUSTED=false out to trust them."
        )
    return skops.load(file, trusted=unknown)


def _versions(error: Exception) -> str:
    if isinstance(
        error, (AttributeError, ImportError, pickle.UnpicklingError, ValueError, TypeError, KeyError)
    ):
        return "It may have been written by another version of its library: name that version in an image of your own."
    return ""
