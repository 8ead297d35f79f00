"""The contract of suggestion and early stopping algorithms, and of whoever asks them.

The built-in ones answer it in the tuning worker; a user's own is asked over gRPC (`api.v1.beta1.Suggestion`), whose
messages these types mirror: kubeflow/katib 0.19 pkg/apis/manager/v1beta1/api.proto.

Values of parameters and metrics are strings, as the API has them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from sampan.components.tuning.api.observing import Metric, MetricLog


@dataclass(frozen=True, slots=True)
class FeasibleSpace:
    min: str = ""
    max: str = ""
    step: str = ""
    list: tuple[str, ...] = ()
    distribution: str = "uniform"
    """`uniform`, `logUniform`, `normal` or `logNormal`."""


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    type: str
    """`double`, `int`, `discrete` or `categorical`."""
    space: FeasibleSpace


@dataclass(frozen=True, slots=True)
class Operation:
    """Of a neural architecture search: one kind of layer, and what may be chosen about it."""

    type: str
    parameters: tuple[Parameter, ...] = ()


@dataclass(frozen=True, slots=True)
class NasConfig:
    num_layers: int = 0
    input_sizes: tuple[int, ...] = ()
    output_sizes: tuple[int, ...] = ()
    operations: tuple[Operation, ...] = ()


@dataclass(frozen=True, slots=True)
class Objective:
    type: str
    """`minimize` or `maximize`."""
    metric: str
    goal: float | None = None
    additional: tuple[str, ...] = ()
    strategies: Mapping[str, str] = field(default_factory=dict)
    """By metric, which of its values counts: `min`, `max` or `latest`."""


@dataclass(frozen=True, slots=True)
class Problem:
    """An experiment as algorithms see it: what does not change while it runs, save the counts."""

    uid: str
    """Of the experiment: what an algorithm has learnt about it is kept under this."""
    name: str
    namespace: str
    objective: Objective
    parameters: tuple[Parameter, ...] = ()
    algorithm: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Of the algorithm: the experiment's, overwritten by what the algorithm has answered so far."""
    early_stopping: str = ""
    early_stopping_settings: Mapping[str, str] = field(default_factory=dict)
    nas: NasConfig | None = None
    parallel_trial_count: int = 3
    max_trial_count: int | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    """The experiment's, for what the API has no field for."""


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """A trial as algorithms see it."""

    name: str
    assignments: Mapping[str, str]
    condition: str
    """Its latest condition: Created, Running, Succeeded, Killed, Failed, MetricsUnavailable or EarlyStopped."""
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    start_time: str = ""
    completion_time: str = ""
    """RFC 3339, empty while it has none."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """What one new trial is to try."""

    parameters: Mapping[str, str]
    trial_name: str = ""
    """Empty to have one made up."""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rule:
    """When a trial is to be stopped early: its metric compared with a value. Source: EarlyStoppingRule of the API."""

    name: str
    value: str
    comparison: str
    """`equal`, `less` or `greater`."""
    start_step: int = 0


@dataclass(frozen=True, slots=True)
class Curve:
    """What a trial has reported of the objective so far, in order. The step of a value is its place, from 0."""

    trial: str
    values: Sequence[float]
    """`nan` for what is no number."""
    condition: str = ""
    """As a record's."""


@dataclass(frozen=True, slots=True)
class Answer:
    assignments: tuple[Assignment, ...] = ()
    """At most as many as were asked for; fewer where the space has no more to give or trials must end first."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Of the algorithm, to be kept for the next question: its state."""
    exhausted: bool = False
    """No more will ever come, such as when a grid is done: the experiment ends when its trials have ended."""
    waiting_for: str = ""
    """Why there are fewer than were asked for, in words for people."""


class InvalidSettingsError(ValueError):
    """The algorithm refuses the experiment. The message names the setting or field, what was wrong and what to do.

    `plain` is it without `more`: upstream's words alone, which its clients over gRPC may compare.
    """

    def __init__(self, plain: str, more: str = "") -> None:
        super().__init__(f"{plain}{more}")
        self.plain = plain


class SuggestingError(Exception):
    """The algorithm could not be asked or failed. Worth trying again later; the message says what happened."""


class SuggestionService(Protocol):
    """Answers for one algorithm. What it answers follows from what it is given: asking again after a crash, with the
    same trials, is harmless."""

    async def validate(self, problem: Problem) -> None:
        """Raises InvalidSettingsError, SuggestingError."""
        ...

    async def suggest(
        self, problem: Problem, trials: Sequence[TrialRecord], count: int, asked: int
    ) -> Answer:
        """`count` more; `asked` have been asked for in all, these included. `trials` are all there are, oldest first.

        Raises InvalidSettingsError, SuggestingError.
        """
        ...


@runtime_checkable
class AnswersAhead(Protocol):
    """A SuggestionService that may know answers before it is asked."""

    def at_hand(self, problem: Problem, count: int, asked: int) -> Answer | None:
        """What `suggest` would answer, whatever the trials are; None where it has to be asked. Raises nothing."""
        ...


ReadLog = Callable[[str, str, str], Awaitable[Sequence[MetricLog]]]
"""Of a namespace, a trial and a metric, in order of time: `store.observations.Observations.of`."""


class EarlyStoppingService(Protocol):
    async def validate(self, problem: Problem) -> None:
        """Raises InvalidSettingsError, SuggestingError."""
        ...

    async def rules(self, problem: Problem, trials: Sequence[TrialRecord], read: ReadLog) -> Sequence[Rule]:
        """For trials that are about to be made; none while too little is known. Also none, always, from an algorithm
        that decides at each value: see Pruner.

        Raises InvalidSettingsError, SuggestingError, and what `read` raises.
        """
        ...


class Pruner(Protocol):
    """An early stopping algorithm that no rule can say: whoever reads a trial's metrics asks it at each value of the
    objective. Pure, and as light as the server: `engine.early_stopping.service.pruner(problem)`."""

    def decide(self, problem: Problem, curve: Curve, others: Sequence[Curve]) -> str:
        """Why the trial is to be stopped now, in words for people; empty to let it go on. `others` are the curves of
        all other trials of the experiment, oldest first."""
        ...


class Algorithms(Protocol):
    """The algorithms that come with the platform. What they need is started with the first question."""

    @property
    def suggestions(self) -> SuggestionService: ...

    @property
    def early_stopping(self) -> EarlyStoppingService: ...

    def knows(self, algorithm: str) -> bool:
        """Whether it is one of them, of either kind."""
        ...

    async def close(self) -> None: ...
