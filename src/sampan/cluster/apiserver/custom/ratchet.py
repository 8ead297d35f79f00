"""What an update need not mend: values that a schema would refuse now, and that were there before and stay as they are.

Source: apiextensions-apiserver/pkg/apiserver/validation/ratcheting.go, v1.31.
"""

from __future__ import annotations

import re
from typing import Any

from sampan.kube.errors import Cause
from sampan.kube.fielderrors import FieldErrors
from sampan.kube.meta import Object

_MISSING: Any = object()
_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")
_ALTERNATIVES = re.compile(r'.*?"([^"]*)" must (?:not )?validate ')


def forgive(new: Object, old: Object, errors: FieldErrors) -> None:
    """Takes out of `errors` what is about unchanged values. Errors about metadata stay."""
    errors.causes = [cause for cause in errors.causes if not _unchanged(cause, new, old)]


def _unchanged(cause: Cause, new: Object, old: Object) -> bool:
    path = cause.field
    if path == "<nil>":
        # The place is named in the text only.
        found = _ALTERNATIVES.match(cause.message)
        path = found[1] if found else ""
    if not path or path.startswith("metadata"):
        return False
    if cause.reason == "FieldValueRequired":
        path = path.rpartition(".")[0]
    before = _at(old, path)
    return bool(path) and before is not _MISSING and before == _at(new, path)


def _at(obj: Any, path: str) -> Any:
    """By the path as messages write it; _MISSING too where keys have dots and the place is not plain."""
    for found in _STEP.finditer(path):
        name, index = found.groups()
        if name is not None:
            obj = obj.get(name, _MISSING) if isinstance(obj, dict) else _MISSING
        else:
            at = int(index)
            obj = obj[at] if isinstance(obj, list) and at < len(obj) else _MISSING
        if obj is _MISSING:
            return _MISSING
    return obj
