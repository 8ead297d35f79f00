"""The fields of the form for a new job: made from what it begins with, and read back."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from nicegui import ui

from sampan.components.training.api.kinds import JOB_KINDS, TRAIN_JOBS
from sampan.components.training.ui.new_job import script
from sampan.components.training.ui.new_job.wanted import (
    COMMAND,
    IMAGE,
    LAUNCHERS,
    SCRIPT,
    Program,
    Rules,
    Size,
    Wanted,
)
from sampan.components.training.ui.runtimes import model
from sampan.components.training.ui.runtimes.model import Runtime
from sampan.kube import names, quantities
from sampan.ui import widgets
from sampan.ui.forms.drop import FileDrop
from sampan.ui.forms.fields import (
    About,
    ChoiceField,
    Field,
    NumberField,
    PairsField,
    SwitchField,
    TextField,
)
from sampan.ui.forms.form import Form

MOST_SCRIPT_BYTES = 512 * 1024
"""An object of Kubernetes is a megabyte and a half at most."""
_SAMPLE = """import os
import time

rank = int(os.environ.get("PET_NODE_RANK", os.environ.get("RANK", "0")))
for step in range(1, 11):
    time.sleep(0.2)
    print(f"step={step} loss={1 / step:.4f}", flush=True)
print(f"rank {rank} is done")
"""
IMAGES = {
    "PyTorchJob": "pytorch/pytorch:2.7.1-cuda12.8-cudnn9-runtime",
    "TFJob": "tensorflow/tensorflow:2.17.0",
    "MPIJob": "mpioperator/mpi-pi:openmpi",
    "XGBoostJob": "python:3.11",
    "JAXJob": "python:3.11",
    "PaddleJob": "paddlepaddle/paddle:3.0.0",
}
"""To begin with; any other does as well."""
_PACKAGES = {"XGBoostJob": ("xgboost",), "JAXJob": ("jax",)}
_LAUNCHERS = {"PyTorchJob": "torchrun", "MPIJob": "mpirun"}
_PROCESSES = re.compile(r"[1-9]\d{0,4}|auto|cpu|gpu")


class Fields:
    """`changed` is called after each change; `form` sends them together."""

    def __init__(
        self,
        form: Form,
        start: Wanted,
        runtimes: Sequence[Runtime],
        claims: Sequence[str],
        changed: Callable[[], Any],
    ) -> None:
        self._form = form
        self._start = start
        self._runtimes = {runtime.key: runtime for runtime in runtimes}
        self._claims = claims
        self._changed = changed
        self._suggested_image = ""
        self._file_name = start.program.file_name

    def build(self) -> None:
        with widgets.card("What it trains with").classes("sp-form"):
            self._build_kind()
        with widgets.card("What it runs").classes("sp-form"):
            self._build_program()
        with widgets.card("How large it is").classes("sp-form"):
            self._build_size()
        with widgets.card().classes("sp-form"):
            self._build_more()
        self._arrange()

    def _build_kind(self) -> None:
        start, add = self._start, self._form.add
        self.name = add(
            TextField(
                About("name", "Name", required=True), start.name, check=_name_problem, change=self._changed
            )
        )
        kinds = [
            (TRAIN_JOBS.kind, "TrainJob, with a runtime"),
            *((each.kind, each.kind) for each in JOB_KINDS),
        ]
        self._kind = add(
            ChoiceField(
                About("kind", "Kind", "A TrainJob is the newer way; the others are the Training Operator's."),
                kinds,
                start.kind,
                change=self._kind_changed,
            )
        )
        options = [(key, _runtime_label(runtime)) for key, runtime in self._runtimes.items()]
        chosen = f"{start.runtime_kind}/{start.runtime}"
        self._runtime = add(
            ChoiceField(
                About("runtime", "Runtime", required=True),
                options,
                chosen if chosen in self._runtimes else options[0][0] if options else "",
                change=self._runtime_changed,
                placeholder="Choose a runtime",
            )
        )
        self._told = widgets.paragraph("", "sp-hint tr-told")
        about = About("image", "Image", "Of a TrainJob, empty is the runtime's own.")
        self._image = add(TextField(about, start.image, mono=True, change=self._changed))

    def _build_program(self) -> None:
        program, add = self._start.program, self._form.add
        sources = [(SCRIPT, "Python script"), (COMMAND, "Command"), (IMAGE, "What the image runs")]
        self._source = add(
            ChoiceField(About("source", "From"), sources, program.source, segments=True, change=self._switch)
        )
        with ui.element("div").classes("sp-field") as self._file:
            FileDrop(
                self._take_file,
                label="Choose a file",
                hint="or drop it here: a Python file",
                accept=".py",
                most_bytes=MOST_SCRIPT_BYTES,
            )
        text = program.script or (_SAMPLE if program.source == SCRIPT else "")
        self._script = add(
            TextField(
                About("script", "Script", required=True), text, lines=12, mono=True, change=self._changed
            )
        )
        self._arguments = add(
            TextField(
                About("arguments", "Arguments", "As in a shell: --epochs 3"),
                program.arguments,
                mono=True,
                check=script.problem,
                change=self._changed,
            )
        )
        launchers = [(each, each) for each in LAUNCHERS]
        about = About(
            "launcher", "Started by", "torchrun and mpirun start a process for each rank on a node."
        )
        self._launcher = add(
            ChoiceField(about, launchers, program.launcher, segments=True, change=self._changed)
        )
        hint = "Installed before it starts, with pip: names, with versions if you like."
        self._packages = add(
            TextField(About("packages", "Packages", hint), " ".join(program.packages), change=self._changed)
        )
        self._command = add(
            TextField(
                About("command", "Command", "As in a shell: python -m trainer --epochs 3", required=True),
                program.command,
                lines=2,
                mono=True,
                check=script.problem,
                change=self._changed,
            )
        )

    def _build_size(self) -> None:
        size, add = self._start.size, self._form.add
        with ui.element("div").classes("sp-fields-row"):
            about = About("nodes", "Nodes", "Each is a pod; a master counts as one.", required=True)
            self._nodes = add(
                NumberField(about, str(size.nodes), whole=True, check=_at_least_one, change=self._changed)
            )
            about = About("processes", "Processes on each", "A number, or auto, cpu, gpu. Empty: the usual.")
            self._processes = add(
                TextField(about, size.processes, check=_processes_problem, change=self._changed)
            )
            about = About("servers", "Parameter servers", "Only for ParameterServerStrategy.")
            self._servers = add(NumberField(about, str(size.servers or ""), whole=True, change=self._changed))
        with ui.element("div").classes("sp-fields-row"):
            self._cpu = self._amount("cpu", "CPU of each", size.cpu, "Cores: 2, or 500m")
            self._memory = self._amount("memory", "Memory of each", size.memory, "4Gi, or 512Mi")
            self._gpu = self._amount("gpu", "GPUs of each", size.gpu, "Whole ones")

    def _amount(self, name: str, label: str, value: str, hint: str) -> TextField:
        return self._form.add(
            TextField(About(name, label, hint), value, check=_amount_problem, change=self._changed)
        )

    def _build_more(self) -> None:
        start, rules = self._start, self._start.rules
        with ui.element("details").classes("sp-more") as more:
            if start.environment or start.claim or start.dataset or start.model or rules != Rules():
                more._props["open"] = True
            widgets.Text("summary", "More settings")
            with ui.element("div").classes("sp-form"):
                self._build_data()
                self._build_rules()

    def _build_data(self) -> None:
        start, add = self._start, self._form.add
        about = About("dataset", "Data set from", "Fetched first, where the runtime can: hf://…, s3://…")
        self._dataset = add(TextField(about, start.dataset, mono=True, change=self._changed))
        about = About("model", "Model from", "The same, for what it starts with.")
        self._model = add(TextField(about, start.model, mono=True, change=self._changed))
        about = About("environment", "Environment")
        self._environment = add(PairsField(about, dict(start.environment), change=self._changed))
        claims = [("", "none"), *((each, each) for each in self._claims)]
        about = About("claim", "Output volume", "A persistent volume claim for what it writes.")
        self._claim = add(ChoiceField(about, claims, start.claim, change=self._switch))
        about = About("mount", "Mounted at", required=True)
        self._mount = add(
            TextField(about, start.mount_path, mono=True, check=_path_problem, change=self._changed)
        )

    def _build_rules(self) -> None:
        rules, add = self._start.rules, self._form.add
        about = About("deadline", "Deadline, in seconds", "It fails when it has not ended by then.")
        self._deadline = add(_number(about, rules.deadline_seconds, self._changed))
        about = About("retries", "Retries", "How often its pods may be started again in all.")
        self._retries = add(_number(about, rules.retries, self._changed))
        about = About("priority", "Priority class", "One of higher priority may take the place of others.")
        self._priority = add(TextField(about, rules.priority_class, change=self._changed))
        self._queue = add(TextField(About("queue", "Queue"), rules.queue, change=self._changed))
        about = About("gang", "Start all together", "All its pods find a place, or none starts.")
        self._gang = add(SwitchField(about, rules.gang, change=self._changed))
        about = About("suspended", "Begin suspended", "Nothing runs until it is resumed.")
        self._suspended = add(SwitchField(about, rules.suspended, change=self._changed))

    async def _take_file(self, name: str, data: bytes) -> None:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            self._script.tell("This file is no text: a Python file is wanted.")
            return
        self._file_name = script.file_name(name)
        self._script.put(text)
        self._changed()

    def _kind_changed(self) -> None:
        kind = str(self._kind.raw)
        self._put_image(IMAGES.get(kind, ""))
        self._put_launcher(_LAUNCHERS.get(kind, "python"))
        if kind in _PACKAGES and not str(self._packages.raw).strip():
            self._packages.put(" ".join(_PACKAGES[kind]))
        self._switch()

    def _runtime_changed(self) -> None:
        self._put_launcher(model.launcher(self._runtime_chosen()))
        self._switch()

    def _put_image(self, image: str) -> None:
        """A suggestion, unless somebody has written one."""
        if self._image.raw in ("", self._suggested_image):
            self._image.put(image)
            self._suggested_image = image

    def _put_launcher(self, launcher: str) -> None:
        self._launcher.put(launcher)

    def _runtime_chosen(self) -> Runtime | None:
        return self._runtimes.get(str(self._runtime.raw))

    def _switch(self) -> None:
        self._arrange()
        self._changed()

    def _arrange(self) -> None:
        """Shows what goes with the choices."""
        kind, source = str(self._kind.raw), str(self._source.raw)
        is_train_job, is_script = kind == TRAIN_JOBS.kind, source == SCRIPT
        self._runtime.show(is_train_job)
        self._told.set_visibility(is_train_job)
        self._told.set_text(_told(self._runtime_chosen(), bool(self._runtimes)))
        self._file.set_visibility(is_script)
        of_script: tuple[Field, ...] = (self._script, self._arguments, self._launcher, self._packages)
        for field in of_script:
            field.show(is_script)
        self._command.show(source == COMMAND)
        self._processes.show(is_train_job or kind in ("PyTorchJob", "MPIJob"))
        self._servers.show(kind == "TFJob")
        self._mount.show(bool(self._claim.raw))
        self._dataset.show(is_train_job)
        self._model.show(is_train_job)
        of_operator: tuple[Field, ...] = (self._retries, self._priority, self._queue, self._gang)
        for field in of_operator:
            field.show(not is_train_job)

    def read(self) -> Wanted:
        """Raises NotAValueError."""
        runtime = self._runtime_chosen()
        source = str(self._source.raw)
        return Wanted(
            name=str(self.name.raw).strip(),
            namespace=self._start.namespace,
            kind=str(self._kind.raw),
            runtime=runtime.name if runtime is not None else "",
            runtime_kind=runtime.kind if runtime is not None else self._start.runtime_kind,
            image=str(self._image.raw).strip(),
            program=Program(
                source=source,
                script=str(self._script.raw),
                file_name=self._file_name,
                command=str(self._command.raw),
                arguments=str(self._arguments.raw),
                packages=tuple(str(self._packages.raw).split()),
                launcher=str(self._launcher.raw),
            ),
            size=Size(
                nodes=int(self._nodes.read() or 1),
                processes=str(self._processes.raw).strip(),
                servers=int(self._servers.read() or 0),
                cpu=str(self._cpu.raw).strip(),
                memory=str(self._memory.raw).strip(),
                gpu=str(self._gpu.raw).strip(),
            ),
            rules=self._rules(),
            dataset=str(self._dataset.raw).strip() if self._kind.raw == TRAIN_JOBS.kind else "",
            model=str(self._model.raw).strip() if self._kind.raw == TRAIN_JOBS.kind else "",
            environment=self._environment.read(),
            claim=str(self._claim.raw),
            mount_path=str(self._mount.raw).strip(),
        )

    def _rules(self) -> Rules:
        is_operators = self._kind.raw != TRAIN_JOBS.kind
        deadline, retries = self._deadline.read(), self._retries.read()
        return Rules(
            deadline_seconds=int(deadline) if deadline else None,
            retries=int(retries) if retries is not None and is_operators else None,
            priority_class=str(self._priority.raw).strip() if is_operators else "",
            queue=str(self._queue.raw).strip() if is_operators else "",
            gang=bool(self._gang.raw) and is_operators,
            suspended=bool(self._suspended.raw),
        )


def _number(about: About, value: int | None, changed: Callable[[], Any]) -> NumberField:
    return NumberField(about, "" if value is None else str(value), whole=True, change=changed)


def _runtime_label(runtime: Runtime) -> str:
    framework = f" ({runtime.framework})" if runtime.framework else ""
    return f"{runtime.name}{framework}" + (", deprecated" if runtime.is_deprecated else "")


def _told(runtime: Runtime | None, are_any: bool) -> str:
    if runtime is None:
        return "" if are_any else "There are no runtimes here: choose a kind of the Training Operator."
    nodes = f"{runtime.nodes} node" + ("s" if runtime.nodes != 1 else "")
    return f"{runtime.image or 'no image of its own'}; {nodes} unless you say otherwise."


def _name_problem(value: Any) -> str:
    text = str(value).strip()
    if text and names.dns_1035_label(text):
        return "Lower case letters, digits and hyphens, a letter first, at most 63 characters"
    return ""


def _at_least_one(value: Any) -> str:
    return "" if value is not None and 1 <= value <= 10_000 else "At least 1"


def _processes_problem(value: Any) -> str:
    text = str(value).strip()
    return "" if not text or _PROCESSES.fullmatch(text) else "A number, or auto, cpu or gpu"


def _amount_problem(value: Any) -> str:
    text = str(value).strip()
    if not text:
        return ""
    try:
        return "" if quantities.parse(text) >= 0 else "This cannot be less than nothing"
    except ValueError:
        return "An amount, such as 2, 500m or 4Gi"


def _path_problem(value: Any) -> str:
    return "" if str(value).startswith("/") else "A path from the root: /workspace/output"
