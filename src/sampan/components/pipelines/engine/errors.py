"""The one error of the pure parts."""

from __future__ import annotations


class StepError(Exception):
    """The task cannot go on. The message is shown to the user as the task's error: it says what and where."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NullInputError(StepError):
    """A value that must be there is null: an optional input of the DAG that nobody gave."""
