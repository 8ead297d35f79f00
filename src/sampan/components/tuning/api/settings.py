"""What can be set about tuning: the table `[tuning]` of settings.toml."""

from __future__ import annotations

from dataclasses import dataclass

CONTROLLERS = ("auto", "on", "off")


@dataclass(frozen=True, slots=True)
class TuningSettings:
    controllers: str = "auto"
    """Whether experiments are acted on: `on`, `off`, or `auto`: on unless somebody else has installed Katib's
    definitions."""
    keep_logs_days: int = 7
    """How long logs of deleted trials are kept, in days; 0 keeps them for good."""


def check(settings: TuningSettings) -> None:
    """Raises ValueError, which names the setting."""
    if settings.controllers not in CONTROLLERS:
        raise ValueError(
            f"tuning.controllers must be one of {', '.join(CONTROLLERS)}, not {settings.controllers!r}"
        )
    if settings.keep_logs_days < 0:
        raise ValueError(f"tuning.keep_logs_days must not be negative, but is {settings.keep_logs_days}")
