"""What the commands have in common: how they reach a cluster, and say what went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from sampan.components.training.sdk.jobs import JobRef, Jobs, NoSuchJobError
from sampan.components.training.sdk.plan import PlanError
from sampan.console import frame
from sampan.console.frame import Platform, Server
from sampan.sent.sources import SourcesError

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
    with frame.connected(platform, home) as (server, session):
        yield Reached(Jobs(session), server, namespace or session.namespace)


@contextmanager
def told() -> Iterator[None]:
    """Errors as one sentence on standard error."""
    with frame.told(NoSuchJobError, PlanError, SourcesError):
        yield
