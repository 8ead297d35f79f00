"""What can be set about training: the table `[training]` of settings.toml."""

from __future__ import annotations

from dataclasses import dataclass

OPERATORS = ("auto", "on", "off")
GANG_SCHEDULERS = ("auto", "scheduler-plugins", "volcano", "none")


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    operators: str = "auto"
    """Whether training jobs are acted on: `on`, `off`, or `auto`: on for the kinds whose definitions nobody else has
    installed."""
    gang_scheduler: str = "auto"
    """Who starts all pods of a job or none: `scheduler-plugins`, `volcano`, `none`, or `auto`, which is
    scheduler-plugins in the embedded cluster and none elsewhere."""
    init_container_image: str = "auto"
    """Of the init container by which workers of a PyTorchJob wait for the master's name: an image with `sh` and
    `nslookup`, `none`, or `auto`, which is none in the embedded cluster, where names are known at once, and
    alpine:3.10 elsewhere."""
    keep_logs_days: int = 0
    """How long logs of deleted jobs are kept, in days; 0 keeps them for good."""


def check(settings: TrainingSettings) -> None:
    """Raises ValueError, which names the setting."""
    for name, known in (("operators", OPERATORS), ("gang_scheduler", GANG_SCHEDULERS)):
        value = getattr(settings, name)
        if value not in known:
            raise ValueError(f"training.{name} must be one of {', '.join(known)}, not {value!r}")
    if settings.keep_logs_days < 0:
        raise ValueError(f"training.keep_logs_days must not be negative, but is {settings.keep_logs_days}")
