"""Documents by their content: a pipeline that runs a thousand times is read, checked and kept in memory once.

Owned by whoever reads specifications: the engine, and the check of what is to run. Thread-safe.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from sampan.components.pipelines.api import ir
from sampan.components.pipelines.api.ir import PipelineDocument

_MOST_CHARACTERS = 32 * 1024 * 1024
"""Of the texts of what is kept; the one used longest ago goes first."""


class Documents:
    """Loaded and validated documents. They are shared: nobody may change them."""

    def __init__(self, check: Callable[[PipelineDocument], None] = lambda _: None) -> None:
        """`check` is asked about every document that is not known yet; it may raise InvalidArgumentError."""
        self._check = check
        self._kept: OrderedDict[bytes, tuple[int, PipelineDocument]] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def of(self, text: str | bytes, source: Mapping[str, Any] | str | bytes) -> PipelineDocument:
        """That of `text`; when it is not known, of `source`, which is the same. Raises InvalidArgumentError."""
        key = hashlib.sha256(text.encode() if isinstance(text, str) else text).digest()
        with self._lock:
            if (found := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return found[1]
        document = ir.load(source)
        self._check(document)
        ir.validate(document)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = (len(text), document)
                self._size += len(text)
            while self._size > _MOST_CHARACTERS and len(self._kept) > 1:
                _, (size, _) = self._kept.popitem(last=False)
                self._size -= size
        return document
