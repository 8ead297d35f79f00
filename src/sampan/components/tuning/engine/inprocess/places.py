"""Where experiments whose trials are in-process have their folders below the server's home. Pure."""

from __future__ import annotations

from pathlib import Path

_MOST_NAME = 200


def folder_of(home: Path, namespace: str, experiment: str) -> Path:
    """Seen by the experiment's workers, which may do with it as they like."""
    return home / "tuning" / "in-process" / namespace / experiment


def log_of(folder: Path, trial: str) -> Path:
    """What a trial prints, as it is: its worker's standard output and standard error."""
    return logs_of(folder) / log_name(trial)


def logs_of(folder: Path) -> Path:
    return folder / "logs"


def log_name(trial: str) -> str:
    return f"{trial[:_MOST_NAME]}.log"
