"""What `sampan run` submits, in either language: its name, its text, and its parameters from the command line.

What reads it is loaded by the commands that do: protobuf and Argo's expressions take longer than all else in a command.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Protocol, cast

_LANGUAGES = "sampan.components.pipelines.cli.languages"


class Document(Protocol):
    @property
    def name(self) -> str: ...

    def to_json(self) -> Mapping[str, Any]: ...

    def parameters(self, given: Mapping[str, str], *, complete: bool = True) -> Mapping[str, Any]:
        """Texts as values of the declared types; `complete`: with all that has no default. Raises PipelinesError."""
        ...


def read(content: bytes) -> Document:
    """What is in a package, checked. Raises InvalidArgumentError."""
    languages: Any = importlib.import_module(_LANGUAGES)
    return cast(Document, languages.read(content))


def of(source: bytes | Mapping[str, Any]) -> Document:
    """A specification as text, or as the API shows it. Raises InvalidArgumentError."""
    languages: Any = importlib.import_module(_LANGUAGES)
    return cast(Document, languages.of(source))
