"""An experiment that was started, as users hold it: `tuning = tune(…)`."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable, Generator, Mapping
from typing import Any

from sampan.components.tuning.api.summary import State, Summary, TrialState, TrialSummary, number
from sampan.components.tuning.sdk.experiments import Experiments, Ref
from sampan.components.tuning.sdk.search import Space, text_of
from sampan.kube.errors import NotFoundError

Show = Callable[[Experiments, Ref], Summary]


class TuningError(Exception):
    """An experiment that failed, or that has nothing to give. The message says why."""


class Tuning:
    """Blocking; may be used from any thread. Methods raise ApiError; NotFoundError once it is deleted."""

    def __init__(self, experiments: Experiments, ref: Ref, space: Mapping[str, Space], show: Show) -> None:
        self._experiments = experiments
        self._ref = ref
        self._space = space
        self._show = show

    def __repr__(self) -> str:
        return f"<Tuning {self.namespace}/{self.name}>"

    @property
    def name(self) -> str:
        return self._ref.name

    @property
    def namespace(self) -> str:
        return self._ref.namespace

    @property
    def status(self) -> Summary:
        """As it is now: its state and why, how many trials there are of which kind, the best."""
        return self._experiments.summary(self._ref)

    @property
    def state(self) -> State:
        return self.status.state

    @property
    def best(self) -> dict[str, Any] | None:
        """The parameters of the best trial so far, as the function had them; None before there is one."""
        found = self.status.best
        return self._values(found.assignments) if found is not None else None

    @property
    def best_value(self) -> float | None:
        return self.status.best_value

    def trials(self) -> list[dict[str, Any]]:
        """A record of each, in the order in which they came: name, state, parameters, metrics, times."""
        return [self._record(each) for each in self._experiments.trials(self._ref)]

    def dataframe(self) -> Any:
        """The trials as a pandas table. Raises ImportError where there is no pandas."""
        pandas: Any = importlib.import_module("pandas")
        return pandas.json_normalize(self.trials())

    def wait(self, timeout_seconds: float | None = None) -> Tuning:
        """Until it has ended. Raises TuningError if it failed, TimeoutError."""
        return self._ended(self._experiments.wait(self._ref, timeout_seconds))

    def follow(self) -> Tuning:
        """Shows its progress until it has ended; Ctrl-C leaves it alone. Raises TuningError if it failed."""
        return self._ended(self._show(self._experiments, self._ref))

    def stop(self) -> None:
        """Ends it and what runs of it; what is known stays."""
        self._experiments.stop(self._ref)

    def resume(self, trials: int = 10) -> Tuning:
        """Goes on with so many more trials. Raises TuneError for one that cannot."""
        self._experiments.resume(self._ref, trials)
        return self

    def delete(self) -> None:
        """The experiment with its trials; nothing if it is gone."""
        try:
            self._experiments.delete(self._ref)
        except NotFoundError:
            return

    def __await__(self) -> Generator[Any, None, Tuning]:
        """As `wait`, without holding up the event loop."""
        return asyncio.to_thread(self.wait).__await__()

    def _ended(self, summary: Summary) -> Tuning:
        if summary.state is State.FAILED:
            raise TuningError(
                f"{self._ref} failed: {summary.message or summary.reason}{self._first_failure()}"
            )
        return self

    def _first_failure(self) -> str:
        for each in self._experiments.trials(self._ref):
            if each.state in (TrialState.FAILED, TrialState.METRICS_UNAVAILABLE) and each.message:
                return f"; the trial {each.name}: {each.message}"
        return ""

    def _values(self, assignments: Mapping[str, str]) -> dict[str, Any]:
        return {name: _value(self._space.get(name), text) for name, text in assignments.items()}

    def _record(self, trial: TrialSummary) -> dict[str, Any]:
        return {
            "name": trial.name,
            "state": trial.state.value,
            "message": trial.message,
            "parameters": self._values(trial.assignments),
            "metrics": {name: number(text) for name, text in trial.values.items()},
            "started": trial.started,
            "ended": trial.ended,
        }


def _value(space: Space | None, text: str) -> Any:
    """As the program in the pod reads it (`program.Call.value`)."""
    if space is None:
        return text
    for each in space.choices:
        if text_of(each) == text:
            return each
    if space.type == "int":
        return int(float(text))
    return float(text) if space.type in ("double", "discrete") else text
