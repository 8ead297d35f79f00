"""Which object a request of `rest` is about. Names are checked here, so none leads elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.kube.errors import NotFoundError

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?\Z")


@dataclass(frozen=True, slots=True)
class Place:
    namespace: str
    """Empty for all."""
    name: str = ""


def place_of(parameters: Mapping[str, Any]) -> Place:
    """Of a path's parts. Raises NotFoundError for what Kubernetes would have named nothing."""
    for part in ("namespace", "name"):
        if part in parameters and not is_name(parameters[part]):
            raise NotFoundError(f'the {part} "{parameters[part][:100]}" is none that Kubernetes allows')
    return Place(parameters.get("namespace", ""), parameters.get("name", ""))


def is_name(text: str) -> bool:
    return _NAME.match(text) is not None
