"""Loading a library without what it loads beside itself when that is installed, and that nobody here uses."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Within, this thread finds none of the top-level modules `names` that are not loaded yet; others do."""
    refusing = _Refusing(frozenset(names))
    # A list of its own each time: another thread may be going through the old one.
    sys.meta_path = [refusing, *sys.meta_path]
    try:
        yield
    finally:
        sys.meta_path = [each for each in sys.meta_path if each is not refusing]


class _Refusing:
    """A finder, before all others."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._thread = threading.get_ident()

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name in self._names and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"{name} is left out", name=name)
        return None
