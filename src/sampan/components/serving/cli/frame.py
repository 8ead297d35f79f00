"""What the commands have in common: how they reach a cluster, and say what went wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from sampan.client.session import Session
from sampan.components.serving.api.kinds import INFERENCE_SERVICES, LLM_INFERENCE_SERVICES
from sampan.components.serving.sdk.endpoints import Endpoints, Ref
from sampan.components.serving.sdk.errors import ServingError
from sampan.console import frame
from sampan.console.frame import CommandError, Platform, Server

EndpointArgument = Annotated[str, typer.Argument(metavar="ENDPOINT", help="Its name.")]
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
        kind, slash, plain = name.partition("/")
        refs = [
            Ref(self.namespace, plain if slash else name, resource)
            for resource in (INFERENCE_SERVICES, LLM_INFERENCE_SERVICES)
            if not slash or kind in (resource.singular, *resource.short_names)
        ]
        ref = next((each for each in refs if self.endpoints.exists(each)), None)
        if ref is None:
            raise CommandError(
                f"no endpoint in namespace {self.namespace} is called {name!r}; `sampan endpoints list` lists them"
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
