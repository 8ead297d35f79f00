"""What the form for a new job asks for. Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sampan.components.training.api.kinds import CLUSTER_TRAINING_RUNTIMES, TRAIN_JOBS

SCRIPT, COMMAND, IMAGE = "script", "command", "image"
PYTHON, TORCHRUN, MPIRUN = "python", "torchrun", "mpirun"
LAUNCHERS = (PYTHON, TORCHRUN, MPIRUN)


@dataclass(frozen=True, slots=True)
class Program:
    """What each rank runs."""

    source: str = SCRIPT
    """A Python file; a command; or whatever the image or the runtime runs by itself."""
    script: str = ""
    file_name: str = "train.py"
    command: str = ""
    """As typed into a shell."""
    arguments: str = ""
    """The same, for the script."""
    packages: tuple[str, ...] = ()
    launcher: str = PYTHON


@dataclass(frozen=True, slots=True)
class Size:
    nodes: int = 1
    processes: str = ""
    """For each node: a number, or a word of the framework's (`auto`); empty for the usual."""
    servers: int = 0
    """Parameter servers, of a TFJob."""
    cpu: str = ""
    memory: str = ""
    gpu: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    deadline_seconds: int | None = None
    retries: int | None = None
    priority_class: str = ""
    queue: str = ""
    gang: bool = False
    suspended: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    name: str = ""
    namespace: str = ""
    kind: str = TRAIN_JOBS.kind
    runtime: str = ""
    runtime_kind: str = CLUSTER_TRAINING_RUNTIMES.kind
    image: str = ""
    program: Program = field(default_factory=Program)
    size: Size = field(default_factory=Size)
    rules: Rules = field(default_factory=Rules)
    dataset: str = ""
    """Of a TrainJob, where its initializers fetch data and model from: `hf://…`, `s3://…`."""
    model: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    claim: str = ""
    """A persistent volume claim for what it writes."""
    mount_path: str = "/workspace/output"
