"""Functions and notebooks as jobs: `@remote`, `remote.notebook`. Fairing's row of Kubeflow, without building images.

    @remote(packages=["numpy"], cpu=2, nodes=2, kind="PyTorchJob")
    def train(lr: float) -> float: ...

    train(0.1)                 # runs there; its logs come here; returns what rank 0 returned, or raises
    job = train.submit(0.1)    # does not wait: job.logs(), job.wait(), job.result(), job.cancel()
    train.map([0.1, 0.2])      # many at once
    await job                  # and many awaited: asyncio.gather

What people did with it is kubeflow/fairing 1.0 (`fairing.config.set_preprocessor("function")`, deployers job, tfjob,
pytorchjob, notebooks run whole). Blocking; a job may be used from any thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import sys
import textwrap
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar, overload

from sampan.client.session import Session
from sampan.components.training.api.summary import State, Summary, in_order, rank_of
from sampan.components.training.sdk import calls, objects
from sampan.components.training.sdk.calls import Outcome, RemoteError
from sampan.components.training.sdk.choosing import Wishes, choose
from sampan.components.training.sdk.frameworks import PLAIN
from sampan.components.training.sdk.jobs import JobRef, Jobs, LogLine, summary_of
from sampan.components.training.sdk.options import Options, checked, read_options
from sampan.components.training.sdk.plan import (
    Mount,
    Plan,
    PlanError,
    Resources,
    made_name,
    read_range,
)
from sampan.kube import meta, pods
from sampan.kube.errors import ApiError, NotFoundError
from sampan.kube.meta import Object
from sampan.sent.sources import SourcesError, imports_of

P = ParamSpec("P")
T = TypeVar("T")
Connect = Callable[[], Session]

_LAST_LINES = 30
_SETTLE_SECONDS = 60.0
_POLL_SECONDS = 0.2


class RemoteJob(Generic[T]):
    """A function or notebook that runs somewhere."""

    def __init__(self, jobs: Jobs, ref: JobRef, options: Options, finish: Callable[[Outcome], T]) -> None:
        self._jobs = jobs
        self._ref = ref
        self._options = options
        self._finish = finish
        self._outcomes: list[Outcome] | None = None

    def __repr__(self) -> str:
        return f"<RemoteJob {self._ref.kind} {self.namespace}/{self.name}>"

    @property
    def name(self) -> str:
        return self._ref.name

    @property
    def namespace(self) -> str:
        return self._ref.namespace

    @property
    def kind(self) -> str:
        return self._ref.kind

    @property
    def status(self) -> State:
        """As it is now. Raises ApiError, NotFoundError once it is deleted."""
        return self._summary().state

    def logs(self, *, follow: bool = False, ranks: Sequence[str] = ()) -> Iterator[str]:
        """Lines of all ranks in the order of time, each behind its rank where there are several."""
        for line in self._lines(follow=follow, ranks=ranks):
            yield self._shown(line)

    def wait(self, timeout_seconds: float | None = None) -> RemoteJob[T]:
        """Until it has ended, however. Raises TimeoutError."""
        self._jobs.wait(self._ref, timeout_seconds)
        return self

    def result(self, timeout_seconds: float | None = None) -> T:
        """What rank 0 has returned, once all have ended. Raises what it has raised, RemoteError, TimeoutError."""
        return self._finish(self._ended(timeout_seconds)[0])

    def results(self, timeout_seconds: float | None = None) -> list[T]:
        """Of all nodes, in the order of their ranks."""
        return [self._finish(each) for each in self._ended(timeout_seconds)]

    def cancel(self) -> None:
        """Ends and deletes the job; nothing if it is gone."""
        try:
            self._jobs.delete(self._ref)
        except NotFoundError:
            return

    def __await__(self) -> Generator[Any, None, T]:
        """The result, without holding up the event loop."""
        return asyncio.to_thread(self.result).__await__()

    def follow(self) -> T:
        """Prints the logs until it has ended, and gives the result. Ctrl-C leaves the job alone."""
        try:
            for line in self._lines(follow=True):
                print(self._shown(line), flush=True)
        except KeyboardInterrupt:
            print(
                f"{self._ref} goes on; cancel it: sampan train delete {self._ref.resource.singular}/{self.name}"
            )
            raise
        return self.result()

    def _ended(self, timeout_seconds: float | None) -> list[Outcome]:
        if self._outcomes is None:
            summary = self._jobs.wait(self._ref, timeout_seconds)
            self._settle(summary.state)
            self._outcomes = self._read(summary)
            if self._options.cleanup and summary.state is State.SUCCEEDED:
                self.cancel()
        return self._outcomes

    def _settle(self, state: State) -> None:
        """The job's end is that of its master: of one that succeeded the others have a word to say, of one that failed
        they may wait for ever."""
        deadline = time.monotonic() + _SETTLE_SECONDS
        while running := [pod for pod in self._jobs.pods(self._ref) if not pods.is_terminal(pod)]:
            if state is State.FAILED or time.monotonic() > deadline:
                self._jobs.end_pods(running)
                return
            time.sleep(_POLL_SECONDS)

    def _read(self, summary: Summary) -> list[Outcome]:
        """Of the last pod of each rank; of a job that failed what a rank has raised comes first."""
        last: dict[str, Object] = {}
        for pod in sorted(
            self._jobs.pods(self._ref), key=lambda pod: str(meta.metadata(pod).get("creationTimestamp"))
        ):
            last[str(rank_of(pod))] = pod
        found = [each for pod in in_order(list(last.values())) if (each := self._outcome(pod)) is not None]
        if summary.state is State.SUCCEEDED and found:
            return found
        raised = [each for each in found if "kind" in each.content]
        if raised:
            return raised
        raise RemoteError(f"{self._ref} {summary.state.lower()} and gave no result: {self._why(summary)}")

    def _outcome(self, pod: Object) -> Outcome | None:
        for status in pods.container_statuses(pod):
            ended = (status.get("state") or {}).get("terminated") or {}
            message = str(ended.get("message") or "")
            if found := calls.outcome_of_message(message):
                return found
        # It was too large for that.
        rank = str(rank_of(pod))
        return calls.outcome_of_log(line.text for line in self._jobs.log(self._ref, ranks=(rank,)))

    def _why(self, summary: Summary) -> str:
        try:
            lines = [self._shown(line) for line in self._lines(tail=_LAST_LINES)]
        except ApiError:
            lines = []
        said = summary.message or summary.reason or "no reason is known"
        return said + ("; the end of its log:\n" + "\n".join(lines) if lines else "")

    def _lines(
        self, *, follow: bool = False, ranks: Sequence[str] = (), tail: int | None = None
    ) -> Iterator[LogLine]:
        for line in self._jobs.log(self._ref, follow=follow, ranks=ranks, tail=tail):
            if not calls.is_outcome(line.text):
                yield line

    def _shown(self, line: LogLine) -> str:
        return f"[{line.rank}] {line.text}" if self._options.nodes > 1 else line.text

    def _summary(self) -> Summary:
        return summary_of(self._jobs.get(self._ref))


class RemoteFunction(Generic[P, T]):
    """A function that runs elsewhere when it is called."""

    def __init__(self, remote: Remote, function: Callable[P, T], options: Options) -> None:
        self._remote = remote
        self._options = options
        self.local = function
        """The function itself, called here."""
        self.__name__ = getattr(function, "__name__", "function")
        self.__doc__ = function.__doc__
        self.__wrapped__ = function

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs it and waits. Raises what it raises there, RemoteError, ApiError, and as `submit`."""
        job = self.submit(*args, **kwargs)
        return job.follow() if self._options.stream else job.result()

    def submit(self, *args: P.args, **kwargs: P.kwargs) -> RemoteJob[T]:
        """Starts it. Raises ApiError, PlanError, SourcesError."""
        archive = calls.pack(self.local, args, kwargs)
        return self._remote.send(
            archive,
            self._options,
            self.__name__,
            _imported(self.local),
            ("call",),
            lambda outcome: outcome.value(),
        )

    def map(self, *arguments: Iterable[Any]) -> list[T]:
        """A job for each, all at once; the results in order. The first that fails is raised when all have ended."""
        started = [self.submit(*each) for each in zip(*arguments, strict=True)]  # type: ignore[call-arg]
        for job in started:
            job.wait()
        return [job.result() for job in started]

    def options(self, **changes: Any) -> RemoteFunction[P, T]:
        """The same function with other options."""
        return RemoteFunction(self._remote, self.local, checked(replace(self._options, **changes)))


class Remote:
    """`sampan.sdk.remote`. `connect` finds the cluster, the first time that one is needed."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._jobs: Jobs | None = None

    @overload
    def __call__(self, function: Callable[P, T]) -> RemoteFunction[P, T]: ...
    @overload
    def __call__(self, **options: Any) -> Callable[[Callable[P, T]], RemoteFunction[P, T]]: ...

    def __call__(self, function: Any = None, **options: Any) -> Any:
        """A decorator, with `Options` or without. Raises PlanError for options that there are not."""
        chosen = checked(read_options(options))
        if function is not None:
            return RemoteFunction(self, function, chosen)
        return lambda decorated: RemoteFunction(self, decorated, chosen)

    def notebook(
        self,
        path: str | Path,
        parameters: Mapping[str, Any] | None = None,
        *,
        save: str | Path = "",
        kernel: str = "",
        include: Sequence[str | Path] = (),
        **options: Any,
    ) -> RemoteJob[Path]:
        """Runs a notebook. The result is the path of the executed one: `save`, or `NAME.output.ipynb` beside it.

        `parameters` take the place of the cell that is tagged so, as papermill does it; `include` lies beside it there.
        Of one that fails the notebook comes too, as far as it went. Raises as `RemoteFunction.submit`.
        """
        file = Path(path)
        target = Path(save) if save else file.with_name(f"{file.stem}.output.ipynb")
        extra = {Path(each).name: Path(each) for each in include}
        archive = calls.pack_notebook(file, parameters or {}, kernel, extra)
        chosen = checked(read_options(options))
        chosen = replace(chosen, packages=("papermill", "ipykernel", *chosen.packages))

        def finish(outcome: Outcome) -> Path:
            content = outcome.content.get("notebook") or outcome.content.get("value")
            if isinstance(content, bytes) and content:
                target.write_bytes(content)
            if "kind" in outcome.content:
                outcome.value()
            return target

        return self.send(archive, chosen, file.stem, set(), ("notebook",), finish)

    def use(self, session: Session | None) -> None:
        """Sends to this cluster from now on; None finds one anew."""
        self._jobs = Jobs(session) if session is not None else None

    def send(
        self,
        archive: bytes,
        options: Options,
        stem: str,
        imported: set[str],
        arguments: tuple[str, ...],
        finish: Callable[[Outcome], T],
    ) -> RemoteJob[T]:
        """For this module's own."""
        if self._jobs is None:
            self._jobs = Jobs(self._connect())
        jobs = self._jobs
        namespace = options.namespace or jobs.session.namespace
        plan = _plan(options, archive, (stem, namespace), imported, arguments)
        if options.output and not options.output.startswith("pvc://"):
            if not jobs.session.is_embedded:
                raise PlanError(
                    "output: the cluster's nodes do not have this machine's folders; use pvc://CLAIM/PATH"
                )
            Path(options.output).mkdir(parents=True, exist_ok=True)
        return RemoteJob(jobs, jobs.submit(plan), options, finish)


def _plan(
    options: Options, archive: bytes, what: tuple[str, str], imported: set[str], arguments: tuple[str, ...]
) -> Plan:
    stem, namespace = what
    is_plain = options.kind == "Job"
    elastic = read_range(options.elastic) if options.elastic else None
    kind, runtime, image, program = "Job", "", options.image or PLAIN.image, PLAIN.program
    if not is_plain:
        wishes = Wishes(options.kind, options.runtime, options.image, options.nodes, elastic, options.retries)
        choice = choose(replace(wishes, priority=options.priority), imported)
        kind, runtime, image, program = choice.kind, choice.runtime, choice.image, choice.program
    mounts = (Mount("output", _absolute(options.output), objects.OUTPUT_PATH),) if options.output else ()
    cpu = f"{options.cpu:g}" if isinstance(options.cpu, int | float) else options.cpu
    return Plan(
        name=options.name or made_name(stem),
        namespace=namespace,
        command=(*program, "run.py", *arguments),
        archive=archive,
        kind=kind,
        runtime=runtime,
        image=image,
        nodes=options.nodes,
        processes=options.processes,
        resources=Resources(cpu, options.memory, options.gpu),
        packages=tuple(options.packages),
        env=dict(options.env),
        secrets=dict(options.secrets),
        mounts=mounts,
        output=objects.OUTPUT_PATH if options.output else "",
        elastic=elastic,
        retries=options.retries,
        deadline_seconds=options.deadline_seconds,
        priority=options.priority,
        service_account=options.service_account,
        labels=dict(options.labels),
        waits_for_all=kind != "MPIJob",
        source=f"{stem}({', '.join(arguments)})" if arguments != ("call",) else f"{stem}()",
    )


def _absolute(output: str) -> str:
    return output if output.startswith("pvc://") else str(Path(output).expanduser().resolve())


def _imported(function: Callable[..., Any]) -> set[str]:
    """What a function's code imports, and the modules that its globals name: what it trains with."""
    found: set[str] = set()
    # Of a lambda, or where nobody has the source, the globals must do.
    with contextlib.suppress(OSError, TypeError, SourcesError):
        found = imports_of(textwrap.dedent(inspect.getsource(function)))
    code = getattr(function, "__code__", None)
    known = getattr(function, "__globals__", {})
    for name in getattr(code, "co_names", ()):
        value = known.get(name)
        module = (
            getattr(value, "__name__", "") if inspect.ismodule(value) else getattr(value, "__module__", "")
        )
        if isinstance(module, str) and module.partition(".")[0] in sys.modules:
            found.add(module)
    return found
