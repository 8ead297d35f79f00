"""A base path in a store (`gs://…`, `s3://…`), which TensorFlow Serving reads there: brought here, once, at the start.

Source: tensorflow/serving 2.19 g3doc/serving_config.md; tensorflow/core/platform (file systems by scheme).
"""

from __future__ import annotations

import importlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sampan.components.serving.engine.programs.modelserver.contract import LoadError

_INITIALIZER = "sampan.components.serving.engine.programs.initializer.main"
_ERRORS = "sampan.components.serving.engine.programs.initializer.errors"
_SCHEMES = ("gs://", "s3://", "hdfs://", "webhdfs://")


def brought(base_path: str, environ: Mapping[str, str] = os.environ) -> str:
    """Where the versions are. Raises LoadError."""
    if not base_path.startswith(_SCHEMES):
        return base_path
    initializer: Any = importlib.import_module(_INITIALIZER)
    errors: Any = importlib.import_module(_ERRORS)
    folder = tempfile.mkdtemp(prefix="tfserving-")
    try:
        initializer.Initializer(environ).download(base_path, Path(folder))
    except (errors.StorageError, OSError) as error:
        raise LoadError(f"{base_path} is not read: {error}") from None
    return folder
