"""What the commands have in common: how they reach a cluster, and say what went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Protocol

import typer
from rich.console import Console

from sampan.client.http import HttpError
from sampan.client.kubeconfig import Connection, KubeconfigError
from sampan.components.training.sdk.jobs import JobRef, Jobs, NoSuchJobError
from sampan.components.training.sdk.plan import PlanError
from sampan.components.training.sdk.session import Session
from sampan.components.training.sdk.sources import SourcesError
from sampan.kube.errors import ApiError


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


class CommandError(Exception):
    """Said to the user as it is."""


HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home", help="The server's home. [default: $SAMPAN_HOME or ~/.sampan]", show_default=False
    ),
]
NamespaceOption = Annotated[
    str, typer.Option("--namespace", help="[default: the kubeconfig's]", show_default=False)
]
JobArgument = Annotated[
    str,
    typer.Argument(metavar="JOB", help="A job's name; with its kind, as pytorchjob/NAME, if others have it."),
]


@dataclass(frozen=True, slots=True)
class Reached:
    """A cluster, and the server that has answered for it."""

    jobs: Jobs
    server: Server
    namespace: str

    @property
    def is_embedded(self) -> bool:
        """Whether pods are processes of this machine."""
        return self.jobs.session.server == self.server.url.rstrip("/")

    def find(self, text: str) -> JobRef:
        return self.jobs.find(text, self.namespace)


@contextmanager
def reach(platform: Platform, home: Path | None, namespace: str = "") -> Iterator[Reached]:
    with platform.connect(home) as server, Session(platform.kubernetes(home), server.url) as session:
        yield Reached(Jobs(session), server, namespace or session.namespace)


@contextmanager
def told() -> Iterator[None]:
    """Errors as one sentence on standard error."""
    try:
        yield
    except (
        CommandError,
        ApiError,
        HttpError,
        KubeconfigError,
        NoSuchJobError,
        PlanError,
        SourcesError,
        TimeoutError,
        RuntimeError,
    ) as error:
        if isinstance(error, typer.Exit):
            raise
        console = Console(stderr=True, highlight=False)
        console.print("[bold red]error:[/] ", end="")
        console.print(str(error), soft_wrap=True, markup=False)
        raise typer.Exit(1) from error
