"""The one error of the pure parts, and which error of the system passes by itself."""

from __future__ import annotations

import errno


class StepError(Exception):
    """The task cannot go on. The message is shown to the user as the task's error: it says what and where."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NullInputError(StepError):
    """A value that must be there is null: an optional input of the DAG that nobody gave."""


def is_disk_full(error: BaseException) -> bool:
    """Whether it succeeds once somebody has freed space."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
