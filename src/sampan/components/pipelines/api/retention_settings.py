"""What can be set about how long things are kept: the table `[retention]` of settings.toml. 0 is for ever."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetentionSettings:
    keep_last: int = 0
    """Runs of each experiment that are kept; older ones are deleted with what only they have."""
    max_age_days: int = 0
    """After which ended runs are deleted."""
    max_disk_gib: int = 0
    """Of artifacts in each namespace, in GiB: beyond it the oldest ended runs are deleted."""
    log_max_age_days: int = 0
    """After which logs of steps are deleted, while their runs stay."""
    completed_pods_hours: int = 24
    """After which the pods of ended runs go, while their logs stay. A pipeline's own TTL counts before it."""
