"""How a command reaches a server and a cluster, the options that all have, and errors as one sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from enum import Enum
from pathlib import Path
from typing import Annotated, Protocol, TypeVar

import typer

from sampan.client.http import HttpError
from sampan.client.kubeconfig import Connection, KubeconfigError
from sampan.client.session import Session
from sampan.console.errors import say_error
from sampan.kube.errors import ApiError

INTERRUPTED = 130
"""The exit code of a command that its user has left."""


class Server(Protocol):
    """A server that answers. `own` says that it was started for this command and ends with it."""

    @property
    def url(self) -> str: ...
    @property
    def home(self) -> Path: ...
    @property
    def own(self) -> bool: ...


class Platform(Protocol):
    """What the commands need of the machine, which a component may not know itself. All raise RuntimeError."""

    def connect(self, home: Path | None) -> AbstractContextManager[Server]:
        """The running server, or one that is started for as long as the context lasts."""
        ...

    def kubernetes(self, home: Path | None) -> Connection:
        """The API server where the pods are."""
        ...


@contextmanager
def connected(platform: Platform, home: Path | None) -> Iterator[tuple[Server, Session]]:
    """A server that answers, and a session with the API server where the pods are."""
    with platform.connect(home) as server, Session(platform.kubernetes(home), server.url) as session:
        yield server, session


class CommandError(Exception):
    """Said to the user as it is."""


HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home", help="The server's home. \\[default: $SAMPAN_HOME or ~/.sampan]", show_default=False
    ),
]
NamespaceOption = Annotated[
    str, typer.Option("--namespace", help="\\[default: the kubeconfig's]", show_default=False)
]


FORMS = ("table", "yaml", "json", "name")
FormOption = Annotated[str, typer.Option("--output", "-o", help="table, yaml, json or name.")]
EverywhereOption = Annotated[bool, typer.Option("--all-namespaces", "-A", help="Of all namespaces.")]


def check_form(form: str, forms: Sequence[str] = FORMS, option: str = "--output") -> None:
    """Raises CommandError."""
    if form not in forms:
        raise CommandError(f"{option} {form!r}: it is one of {', '.join(forms)}")


E = TypeVar("E", bound=Enum)


def one_of(option: str, text: str, known: type[E]) -> E | None:
    """The member of that value, in whatever case; None without a text. Raises CommandError."""
    for each in known:
        if text and str(each.value).lower() == text.lower():
            return each
    if text:
        words = ", ".join(str(each.value).lower() for each in known)
        raise CommandError(f"{option} {text!r}: it is one of {words}")
    return None


_USUAL: tuple[type[Exception], ...] = (
    CommandError,
    ApiError,
    HttpError,
    KubeconfigError,
    TimeoutError,
    RuntimeError,
)


@contextmanager
def told(*more: type[Exception]) -> Iterator[None]:
    """Errors as one sentence on standard error: those of every client, and `more`."""
    try:
        yield
    except _USUAL + more as error:
        if isinstance(error, typer.Exit):
            raise
        say_error(str(error))
        raise typer.Exit(1) from error
