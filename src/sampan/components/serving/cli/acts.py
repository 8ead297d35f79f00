"""`sampan endpoints traffic`, `promote`, `rollback`, `scale`, `stop`, `start`, `delete`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console

from sampan.components.serving.cli.frame import EndpointArgument, reach, told
from sampan.console.frame import CommandError, HomeOption, NamespaceOption, Platform


def _say(text: str) -> None:
    Console(highlight=False).print(text, markup=False, soft_wrap=True)


@dataclass(frozen=True)
class Acts:
    """The commands as typer sees them."""

    platform: Platform

    def traffic(
        self,
        endpoint: EndpointArgument,
        percent: Annotated[
            int, typer.Argument(metavar="PERCENT", min=0, max=100, help="What the newest revision gets.")
        ],
        namespace: NamespaceOption = "",
        home: HomeOption = None,
    ) -> None:
        """Give the newest revision so many percent of the requests, and the one before the rest."""
        with told(), reach(self.platform, home, namespace) as reached:
            ref = reached.find(endpoint)
            reached.endpoints.set_traffic(ref, percent)
            _say(
                f"{ref}: {percent} % go to the newest revision; all for good: sampan endpoints promote {ref.name}"
            )

    def promote(
        self, endpoint: EndpointArgument, namespace: NamespaceOption = "", home: HomeOption = None
    ) -> None:
        """Give the newest revision all requests, for good."""
        with told(), reach(self.platform, home, namespace) as reached:
            ref = reached.find(endpoint)
            reached.endpoints.set_traffic(ref, None)
            latest = reached.endpoints.summary(ref).latest
            _say(f"{ref} promoted: all requests go to {latest}")

    def rollback(
        self, endpoint: EndpointArgument, namespace: NamespaceOption = "", home: HomeOption = None
    ) -> None:
        """Give the revision before all requests again; the newest stays, and gets none."""
        with told(), reach(self.platform, home, namespace) as reached:
            ref = reached.find(endpoint)
            before = reached.endpoints.rollback(ref)
            _say(f"{ref} rolled back: all requests go to {before}")

    def scale(
        self,
        endpoint: EndpointArgument,
        least: Annotated[
            int | None, typer.Option("--min", min=0, help="Pods at least; 0 lets it sleep.")
        ] = None,
        most: Annotated[
            int | None, typer.Option("--max", min=0, help="Pods at most; 0 for any number.")
        ] = None,
        namespace: NamespaceOption = "",
        home: HomeOption = None,
    ) -> None:
        """Set between how many pods an endpoint is scaled."""
        with told():
            if least is None and most is None:
                raise CommandError("say what to change: --min or --max")
            with reach(self.platform, home, namespace) as reached:
                ref = reached.find(endpoint)
                reached.endpoints.scale(ref, least, most)
                _say(f"{ref} scaled")

    def stop(
        self, endpoint: EndpointArgument, namespace: NamespaceOption = "", home: HomeOption = None
    ) -> None:
        """Take an endpoint's pods away until it is started again; nobody is answered meanwhile."""
        with told(), reach(self.platform, home, namespace) as reached:
            ref = reached.find(endpoint)
            reached.endpoints.stop(ref)
            _say(f"{ref} stopped; on again: sampan endpoints start {ref.name}")

    def start(
        self, endpoint: EndpointArgument, namespace: NamespaceOption = "", home: HomeOption = None
    ) -> None:
        """Start an endpoint that was stopped."""
        with told(), reach(self.platform, home, namespace) as reached:
            ref = reached.find(endpoint)
            reached.endpoints.start(ref)
            _say(f"{ref} started")

    def delete(
        self,
        endpoints: Annotated[list[str], typer.Argument(metavar="ENDPOINT", help="InferenceServices' names.")],
        namespace: NamespaceOption = "",
        home: HomeOption = None,
    ) -> None:
        """Delete endpoints. Their models stay where they are."""
        with told(), reach(self.platform, home, namespace) as reached:
            refs = [reached.find(each) for each in endpoints]
            for ref in refs:
                reached.endpoints.delete(ref)
                _say(f"{ref} deleted")
