"""`sampan.sdk.tune`: the best parameters of a function.

    from sampan.sdk import search, tune

    def train(lr: float, layers: int) -> float:
        for epoch in range(10):
            ...
            tune.report(accuracy=accuracy, step=epoch)
        return accuracy

    tuning = tune(train, {"lr": search.loguniform(1e-5, 1e-1), "layers": search.int(1, 8)}, objective="accuracy")
    tuning.follow()
    print(tuning.best)

By default trials are calls in warm workers (`where="in-process"`); with `where="job"`, or a kind of training job, each
is a job of its own. What people did with it is kubeflow-katib 0.19 `KatibClient.tune`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol, TypeVar

from sampan.client.session import Session
from sampan.components.tuning.api.summary import Summary
from sampan.components.tuning.sdk import plan as plans
from sampan.components.tuning.sdk.experiments import Experiments, Ref
from sampan.components.tuning.sdk.handle import Tuning
from sampan.components.tuning.sdk.packing import PROGRAM, pack
from sampan.components.tuning.sdk.plan import IN_PROCESS, Plan, TuneError
from sampan.components.tuning.sdk.search import Space, read_space
from sampan.kube.meta import Object

Connect = Callable[[], Session]
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Options:
    """How each trial runs; all of them are arguments of `tune`."""

    where: str = IN_PROCESS
    """`in-process`, `job`, or a kind of training job, as `pytorchjob` or `trainjob`."""
    image: str = ""
    """By default a Python of this version, or the framework's."""
    packages: Sequence[str] = ()
    """Installed before, as pip names them."""
    resources: Mapping[str, Any] = field(default_factory=dict)
    """`cpu`, `memory` and `gpu`, of each trial or node."""
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Variables from Secrets of the namespace: `{"TOKEN": "secret-name/key"}`."""
    nodes: int = 1
    processes: int | None = None
    """On each node, where the kind has that."""
    runtime: str = ""
    """Of a TrainJob."""
    timeout_seconds: int | None = None
    """Of one trial: one that takes longer fails."""
    output: str = ""
    """A folder of this machine, or `pvc://CLAIM/PATH`, which the function has as $SAMPAN_OUTPUT."""
    service_account: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """What an experiment's trials run, and what must be there before."""

    run: Object
    container: str
    """The primary one."""
    code: Sequence[Object] = ()
    """ConfigMaps."""


class Templates(Protocol):
    """Makes the objects of a trial's run: the training component's, which this one does not know."""

    def __call__(
        self,
        session: Session | None,
        options: Options,
        names: tuple[str, str],
        command: tuple[str, ...],
        archive: bytes,
        imported: set[str],
    ) -> Template:
        """`names` are the experiment's and its namespace; `imported` are modules that the code uses. Without a session
        it is written down for a cluster that is not known yet."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """What a call asks for."""

    plan: Plan
    options: Options
    archive: bytes
    imported: set[str]
    stem: str
    """What the name was made from, or is."""

    def experiment(self, session: Session | None, templates: Templates) -> tuple[Object, Sequence[Object]]:
        """With ConfigMaps that it needs."""
        command = ("python", PROGRAM, *plans.arguments_of(self.plan.space))
        names = (self.plan.name, self.plan.namespace)
        template = templates(session, self.options, names, command, self.archive, self.imported)
        return plans.experiment_of(self.plan, template.run, template.container), template.code


class Asking(Generic[Result]):
    """Callable, with the arguments of `tune`; what then happens, and what is answered, is up to who inherits it."""

    def _start(self, asked: Asked) -> Result:
        raise NotImplementedError

    def __call__(  # noqa: PLR0913  what an experiment has
        self,
        function: Callable[..., Any],
        space: Mapping[str, Any],
        *,
        objective: str | Sequence[str] = "objective",
        direction: str = "maximize",
        goal: float | None = None,
        algorithm: Any = "tpe",
        trials: int = 20,
        parallel: int = 2,
        failures: int | None = None,
        seed: int | None = None,
        early_stopping: Any = None,
        fixed: Mapping[str, Any] | None = None,
        name: str = "",
        namespace: str = "",
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Result:
        """Starts an experiment. `function` takes the parameters by name, or all in one dict, and returns the objective,
        or metrics by name; what it reports on its way is `report`'s.

        `objective` is the metric's name, or several: the first is optimised, the others are collected. `algorithm` and
        `early_stopping` are names, or names with settings: `("tpe", {"gamma": 0.3})`. `fixed` goes to every call.
        `options` are those of `Options`. Raises TuneError, SpaceError, SourcesError for what cannot be, ApiError.
        """
        read = read_space(space)
        chosen = read_options(options)
        goals = plans.read_objective(objective, direction, goal)
        archive = pack(function, read, fixed or {}, goals.metric)
        method = plans.read_algorithm("algorithm", algorithm)
        if seed is not None:
            method = plans.Algorithm(method.name, {**method.settings, "random_state": str(seed)})
        stem = getattr(function, "__name__", "tune")
        marks = dict(annotations or {})
        plan = Plan(
            name=plans.check_name(name) if name else plans.made_name(stem),
            namespace=namespace,
            space=read,
            objective=goals,
            algorithm=method,
            budget=plans.read_budget(trials, parallel, failures),
            early_stopping=None
            if early_stopping is None
            else plans.read_algorithm("early_stopping", early_stopping),
            labels=labels or {},
            annotations=plans.with_in_process(marks) if chosen.where == IN_PROCESS else marks,
        )
        return self._start(Asked(plan, chosen, archive, modules_of(function), name or stem))


class Tune(Asking[Tuning]):
    """`connect` finds the cluster, the first time that one is needed."""

    def __init__(
        self, connect: Connect, templates: Templates, show: Callable[[Experiments, Ref], Summary]
    ) -> None:
        self._connect = connect
        self._templates = templates
        self._show = show
        self._session: Session | None = None
        # A function that names it finds, in its pod, what stands for it there.
        self.__module__ = "sampan.sdk"

    def __reduce__(self) -> str:
        return "tune"

    def attach(self, name: str, namespace: str = "") -> Tuning:
        """An experiment that is there already. Raises ApiError."""
        session = self.session()
        ref = Ref(namespace or session.namespace, name)
        experiments = Experiments(session)
        parameters = experiments.summary(ref).parameters
        space = {
            each.name: Space(each.type, each.space.min, each.space.max, choices=each.space.list)
            for each in parameters
        }
        return Tuning(experiments, ref, space, self._show)

    def report(
        self, metrics: Mapping[str, Any] | None = None, *, step: int | None = None, **more: Any
    ) -> None:
        """What a trial measures on its way, as `report(loss=0.1)`; of a trial that is to be stopped early it does not
        return. Outside of trials it prints."""
        trial = sys.modules.get("_sampan_trial")
        if trial is not None:
            trial.report(metrics, step=step, **more)
            return
        found = {**(metrics or {}), **more}
        at = "" if step is None else f"step {step}: "
        print(at + ", ".join(f"{name}={value}" for name, value in found.items()))

    def trial_name(self) -> str:
        """Of the trial that calls; empty outside of trials."""
        trial = sys.modules.get("_sampan_trial")
        return str(trial.trial_name()) if trial is not None else ""

    def use(self, session: Session | None) -> None:
        """Tunes in this cluster from now on; None finds one anew."""
        self._session = session

    def session(self) -> Session:
        """For this package's own."""
        if self._session is None:
            self._session = self._connect()
        return self._session

    def _start(self, asked: Asked) -> Tuning:
        session = self.session()
        plan = replace(asked.plan, namespace=asked.plan.namespace or session.namespace)
        experiment, code = replace(asked, plan=plan).experiment(session, self._templates)
        experiments = Experiments(session)
        ref = experiments.submit(experiment, code)
        return Tuning(experiments, ref, plan.space, self._show)


def read_options(given: Mapping[str, Any]) -> Options:
    """Raises TuneError."""
    known = Options.__dataclass_fields__
    if unknown := [name for name in given if name not in known]:
        raise TuneError(f"{', '.join(unknown)}: no such argument; there are: {', '.join(known)}")
    options = Options(**given)
    if isinstance(options.packages, str):
        raise TuneError("packages must be a list, as ['numpy']")
    if unknown := [name for name in options.resources if name not in ("cpu", "memory", "gpu")]:
        raise TuneError(f"resources: {', '.join(unknown)}: there are cpu, memory and gpu")
    if options.where == IN_PROCESS and (options.nodes != 1 or options.processes not in (None, 1)):
        raise TuneError("nodes: trials of several nodes are jobs, as where='pytorchjob'")
    return options


def modules_of(function: Callable[..., Any]) -> set[str]:
    """Top-level modules that a function's globals name: by them its framework is known."""
    code = getattr(function, "__code__", None)
    globals_ = getattr(function, "__globals__", {})
    names = (*code.co_names, *code.co_freevars) if code is not None else ()
    found = {name for name in names if name in sys.modules}
    for name in names:
        module = getattr(globals_.get(name), "__module__", None) or getattr(
            globals_.get(name), "__name__", None
        )
        if isinstance(module, str):
            found.add(module.partition(".")[0])
    return found
