"""An endpoint as users hold it: `endpoint = serve(…)`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sampan.components.serving.api.summary import State, Summary
from sampan.components.serving.sdk import payloads
from sampan.components.serving.sdk.endpoints import Endpoints, Ref, Revision
from sampan.components.serving.sdk.predicting import WAIT_SECONDS, Asked, Predictor, Reply
from sampan.kube import pods
from sampan.kube.errors import NotFoundError


class Endpoint:
    """Blocking; may be used from any thread. Methods raise ApiError; NotFoundError once it is deleted."""

    def __init__(self, endpoints: Endpoints, ref: Ref) -> None:
        self._endpoints = endpoints
        self._ref = ref
        self._predictor = Predictor(endpoints)
        self._asked: dict[tuple[str, str], Asked] = {}

    def __repr__(self) -> str:
        return f"<Endpoint {self.namespace}/{self.name}>"

    @property
    def name(self) -> str:
        return self._ref.name

    @property
    def namespace(self) -> str:
        return self._ref.namespace

    @property
    def status(self) -> Summary:
        """As it is now: its state and why, its address, its traffic."""
        return self._endpoints.summary(self._ref)

    @property
    def state(self) -> State:
        return self.status.state

    @property
    def url(self) -> str:
        """Where it answers; empty before it has been ready once."""
        return self.status.url

    def wait(self, timeout_seconds: float | None = 300.0) -> Endpoint:
        """Until what was asked for last answers. Raises ServingError with the reason, TimeoutError."""
        self._endpoints.wait(self._ref, timeout_seconds)
        return self

    def predict(
        self, data: Any, *, protocol: str = "", model: str = "", timeout_seconds: float = WAIT_SECONDS
    ) -> Any:
        """What the model says to rows: a list of them, a NumPy array, a table; or a whole request, as a dict.

        The answer's values alone; `ask` has the rest. Raises ServingError for what the model refuses."""
        return self.ask(data, protocol=protocol, model=model, timeout_seconds=timeout_seconds).values

    def ask(
        self, data: Any, *, protocol: str = "", model: str = "", timeout_seconds: float = WAIT_SECONDS
    ) -> Reply:
        """As `predict`, with the whole answer and how long it took."""
        key = (protocol, model)
        if key not in self._asked:
            self._asked[key] = self._predictor.asked(self._ref, protocol, model)
        return self._predictor.predict(self._asked[key], payloads.of_value(data), timeout_seconds)

    # Its traffic

    def revisions(self) -> list[Revision]:
        """The newest first."""
        return self._endpoints.revisions(self._ref)

    def set_traffic(self, percent: int) -> None:
        """What the newest revision gets of the requests, beside the one before."""
        self._endpoints.set_traffic(self._ref, percent)

    def promote(self) -> Endpoint:
        """The newest revision gets all requests, for good."""
        self._endpoints.set_traffic(self._ref, None)
        return self

    def rollback(self) -> Endpoint:
        """All requests go to the revision before. Raises ServingError where there is none."""
        self._endpoints.rollback(self._ref)
        return self

    # Its life

    def stop(self) -> None:
        """Its pods go, and it answers nobody until it is started."""
        self._endpoints.stop(self._ref)

    def start(self) -> Endpoint:
        self._endpoints.start(self._ref)
        return self

    def delete(self) -> None:
        """Nothing if it is gone."""
        try:
            self._endpoints.delete(self._ref)
        except NotFoundError:
            return

    def logs(self) -> Iterator[str]:
        """What its pods have printed so far, line by line."""
        for pod in self._endpoints.pods(self._ref):
            for container in pods.all_containers(pod):
                yield from self._endpoints.log(pod, str(container["name"]), {})
