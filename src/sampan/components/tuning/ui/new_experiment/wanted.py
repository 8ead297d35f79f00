"""What the form for a new experiment asks for, as it was typed. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SCRIPT, YAML, CONFIG_MAP = "script", "yaml", "configmap"
SOURCES = (SCRIPT, YAML, CONFIG_MAP)
TYPES = ("double", "int", "discrete", "categorical")
DISTRIBUTIONS = ("uniform", "logUniform", "normal", "logNormal")
COLLECTORS = ("StdOut", "File", "TensorFlowEvent", "PrometheusMetric", "Push", "Custom", "None")
FILE, FOLDER = "File", "Directory"
POLICIES = ("Never", "LongRunning", "FromVolume")
IMAGE = "python:3.11"


@dataclass(frozen=True, slots=True)
class Range:
    """A parameter. `values` of the types that have a list, else the bounds."""

    name: str = ""
    type: str = "double"
    low: str = ""
    high: str = ""
    step: str = ""
    values: tuple[str, ...] = ()
    distribution: str = "uniform"


@dataclass(frozen=True, slots=True)
class Target:
    """The objective."""

    metric: str = "loss"
    type: str = "minimize"
    goal: float | None = None
    additional: tuple[str, ...] = ()
    strategies: Mapping[str, str] = field(default_factory=dict)
    """Only those that are other than usual."""
    others: Mapping[str, str] = field(default_factory=dict)
    """Further objectives: by metric, `minimize` or `maximize`."""
    bounds: Mapping[str, str] = field(default_factory=dict)
    """By metric, what it must keep to: `<= 5e6`."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """An algorithm and its settings."""

    name: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Collected:
    """How metrics are found."""

    kind: str = "StdOut"
    path: str = ""
    format: str = "TEXT"
    """Of a file."""
    port: int | None = None
    filters: tuple[str, ...] = ()
    container: str = ""
    """Of a custom collector, as YAML."""
    place: str = FILE
    """What the path of a custom collector is."""


@dataclass(frozen=True, slots=True)
class Program:
    """What each trial runs: a Python script in a Job, an object, or one in a ConfigMap."""

    source: str = SCRIPT
    script: str = ""
    arguments: str = ""
    """As in a shell; empty: each parameter by its name."""
    image: str = IMAGE
    cpu: str = ""
    memory: str = ""
    gpu: str = ""
    text: str = ""
    """YAML."""
    config_map: str = ""
    """Namespace, name and key: `kubeflow/trial-templates/defaultTrialTemplate.yaml`."""


@dataclass(frozen=True, slots=True)
class Template:
    program: Program = field(default_factory=Program)
    references: Mapping[str, str] = field(default_factory=dict)
    """From names in the template to parameters, or to what else of the trial they stand for; empty: by the same
    name."""
    descriptions: Mapping[str, str] = field(default_factory=dict)
    container: str = "training-container"
    retain: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    """Of the pods that count."""
    succeeded: str = ""
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    name: str = ""
    namespace: str = ""
    target: Target = field(default_factory=Target)
    ranges: tuple[Range, ...] = ()
    network: str = ""
    """The space of architectures, as YAML, in the parameters' place."""
    algorithm: Chosen = field(default_factory=lambda: Chosen("tpe"))
    stopping: Chosen = field(default_factory=Chosen)
    most_trials: int | None = 12
    parallel: int | None = 3
    most_failed: int | None = 3
    resume: str = "Never"
    collected: Collected = field(default_factory=Collected)
    template: Template = field(default_factory=Template)
    labels: Mapping[str, str] = field(default_factory=dict)
    """Of the experiment, and of its trials."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Those that have no field of their own."""
