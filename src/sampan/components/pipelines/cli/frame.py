"""What commands have in common: how they reach a server, read what they are given, and say what went wrong.

The commands themselves are in `commands.py` and the modules beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from sampan.components.pipelines.api.errors import PipelinesError
from sampan.components.pipelines.cli import documents
from sampan.components.pipelines.cli.documents import Document
from sampan.components.pipelines.cli.package import PackageError, read_package
from sampan.components.pipelines.sdk import Run, Runs
from sampan.console import frame
from sampan.console.frame import CommandError


class Platform(frame.Platform, Protocol):
    """What the commands of pipelines need beyond what all do. All raise RuntimeError."""

    def running_url(self, home: Path | None) -> str:
        """Of the server that is running; empty when there is none."""
        ...

    def kfp_python(self, home: Path | None) -> Path:
        """An interpreter that has the kfp SDK."""
        ...


@contextmanager
def told() -> Iterator[None]:
    """Errors as one sentence on standard error."""
    with frame.told(PackageError, PipelinesError):
        yield


def find_run(runs: Runs, text: str) -> Run:
    """The run that `text` names. Raises CommandError."""
    run = runs.find(text)
    if run is None:
        raise CommandError(f"no run is called {text!r}; `sampan runs` lists them")
    return run


def read_document(file: Path, pipeline: str, kfp_python: Callable[[], Path]) -> Document:
    """Compiled where it is Python, and checked. Raises CommandError, PackageError."""
    content = read_package(file, pipeline, kfp_python)
    try:
        return documents.read(content)
    except PipelinesError as error:
        raise CommandError(f"{file}: {error.message}") from error


def read_parameters(document: Document, given: Sequence[str], *, complete: bool = True) -> Mapping[str, Any]:
    """`name=value` texts as values of the declared types; all of them checked before anything starts.

    `complete`: what has no default must be among them.
    """
    texts = {}
    for text in given:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise CommandError(f"--param {text!r}: write it as NAME=VALUE")
        texts[name] = value
    try:
        return document.parameters(texts, complete=complete)
    except PipelinesError as error:
        raise CommandError(f"{error.message} (--param NAME=VALUE)") from error
