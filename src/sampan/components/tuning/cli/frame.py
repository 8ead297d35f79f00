"""What the commands have in common: how they reach a cluster, and say what went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from sampan.client.session import Session
from sampan.components.tuning.sdk.experiments import Experiments, Ref
from sampan.components.tuning.sdk.plan import TuneError
from sampan.components.tuning.sdk.search import SpaceError
from sampan.console import frame
from sampan.console.frame import CommandError, Platform, Server
from sampan.kube.errors import NotFoundError
from sampan.sent.sources import SourcesError

ExperimentArgument = Annotated[str, typer.Argument(metavar="EXPERIMENT", help="An experiment's name.")]


@dataclass(frozen=True, slots=True)
class Reached:
    """A cluster, and the server that has answered for it."""

    experiments: Experiments
    server: Server
    namespace: str

    @property
    def session(self) -> Session:
        return self.experiments.session

    def find(self, name: str) -> Ref:
        """Raises CommandError where there is none."""
        ref = Ref(self.namespace, name.removeprefix("experiment/"))
        if not self.experiments.exists(ref):
            raise CommandError(
                f"no experiment in namespace {self.namespace} is called {ref.name!r}; `sampan tune list` lists them"
            )
        return ref


@contextmanager
def reach(platform: Platform, home: Path | None, namespace: str = "") -> Iterator[Reached]:
    with frame.connected(platform, home) as (server, session):
        yield Reached(Experiments(session), server, namespace or session.namespace)


@contextmanager
def told() -> Iterator[None]:
    """Errors as one sentence on standard error."""
    with frame.told(TuneError, SpaceError, SourcesError, NotFoundError, ValueError):
        yield
