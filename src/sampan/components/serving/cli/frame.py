"""What the commands have in common: how they reach a cluster, and say what went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from sampan.client.session import Session
from sampan.components.serving.sdk.endpoints import Endpoints, Ref
from sampan.components.serving.sdk.errors import ServingError
from sampan.console import frame
from sampan.console.frame import CommandError, Platform, Server

EndpointArgument = Annotated[str, typer.Argument(metavar="ENDPOINT", help="An InferenceService's name.")]
TimeoutOption = Annotated[float, typer.Option("--timeout", min=1, help="Seconds to wait.")]


@dataclass(frozen=True, slots=True)
class Reached:
    """A cluster, and the server that has answered for it."""

    endpoints: Endpoints
    server: Server
    namespace: str

    @property
    def session(self) -> Session:
        return self.endpoints.session

    def find(self, name: str) -> Ref:
        """Raises CommandError where there is none."""
        ref = Ref(self.namespace, name.removeprefix("inferenceservice/").removeprefix("isvc/"))
        if not self.endpoints.exists(ref):
            raise CommandError(
                f"no endpoint in namespace {self.namespace} is called {ref.name!r}; `sampan endpoints list` lists them"
            )
        return ref


@contextmanager
def reach(platform: Platform, home: Path | None, namespace: str = "") -> Iterator[Reached]:
    with frame.connected(platform, home) as (server, session):
        yield Reached(Endpoints(session), server, namespace or session.namespace)


@contextmanager
def told() -> Iterator[None]:
    """Errors as one sentence on standard error."""
    with frame.told(ServingError, ValueError):
        yield
