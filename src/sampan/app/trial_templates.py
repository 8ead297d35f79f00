"""What the trials of `tune` run: jobs of any kind, made by training's part. Components do not know each other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sampan.client.session import Session
from sampan.components.training.api.summary import CONTAINERS
from sampan.components.training.sdk import objects
from sampan.components.training.sdk.choosing import Wishes, choose
from sampan.components.training.sdk.frameworks import PLAIN
from sampan.components.training.sdk.jobs import Jobs
from sampan.components.training.sdk.plan import Mount, Plan, PlanError, Resources
from sampan.components.tuning.sdk.plan import IN_PROCESS
from sampan.components.tuning.sdk.tune import Options, Template

_MAIN = "main"
"""The container of a plain Job."""


def template(
    session: Session | None,
    options: Options,
    names: tuple[str, str],
    command: tuple[str, ...],
    archive: bytes,
    imported: set[str],
) -> Template:
    """Implements `tuning.sdk.tune.Templates`; an empty `where` is the kind that what is imported asks for."""
    name, namespace = names
    is_plain = options.where.lower() in (IN_PROCESS, "job", "jobs")
    kind, runtime, image, program = "Job", "", options.image or PLAIN.image, PLAIN.program
    if not is_plain:
        choice = choose(Wishes(options.where, options.runtime, options.image, options.nodes), imported)
        kind, runtime, image, program = choice.kind, choice.runtime, choice.image, choice.program
    program = program if command[0] == "python" else (command[0],)
    plan = Plan(
        name=name,
        namespace=namespace,
        command=(*program, *command[1:]),
        archive=archive,
        kind=kind,
        runtime=runtime,
        image=image,
        nodes=options.nodes,
        processes=options.processes,
        resources=_resources(options.resources),
        packages=tuple(options.packages),
        env=dict(options.env),
        secrets=dict(options.secrets),
        mounts=_mounts(session, options.output),
        output=objects.OUTPUT_PATH if options.output else "",
        deadline_seconds=options.timeout_seconds,
        service_account=options.service_account,
    )
    if kind == "TrainJob" and session is None:
        raise PlanError(
            "where: the runtime of a TrainJob is the cluster's: in a step name an operator's job, as 'pytorchjob', or "
            "write the experiment down (tuning.manifest)"
        )
    if kind == "TrainJob" and session is not None:
        plan = Jobs(session).with_runtime(plan)
    container = _MAIN if kind == "Job" else CONTAINERS[kind]
    return Template(objects.job_object(plan), container, objects.code_maps(plan))


def _mounts(session: Session | None, output: str) -> tuple[Mount, ...]:
    if not output:
        return ()
    if output.startswith("pvc://"):
        return (Mount("output", output, objects.OUTPUT_PATH),)
    if session is None or not session.is_embedded:
        raise PlanError(
            "output: the cluster's nodes do not have this machine's folders; use pvc://CLAIM/PATH"
        )
    folder = Path(output).expanduser().resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return (Mount("output", str(folder), objects.OUTPUT_PATH),)


def _resources(found: Mapping[str, Any]) -> Resources:
    cpu = found.get("cpu", "")
    return Resources(
        f"{cpu:g}" if isinstance(cpu, int | float) else str(cpu),
        str(found.get("memory", "")),
        int(found.get("gpu", 0)),
    )
