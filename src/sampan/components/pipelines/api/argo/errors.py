"""What is wrong with a value or an expression, in words for the user. The caller adds where."""

from __future__ import annotations


class ArgoError(Exception):
    """The message says what is wrong, without the place."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class AbsentError(ArgoError):
    """An output that was never produced, because its step was skipped or omitted, is used without a fallback."""
