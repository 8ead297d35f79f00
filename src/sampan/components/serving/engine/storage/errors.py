"""Why a model's storage cannot be set up: said in a condition of whoever wants it."""

from __future__ import annotations


class StorageError(Exception):
    """Nothing helps until the object, its credentials or the settings change. The message says which and how."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        """In CamelCase, for a condition."""
        self.message = message


INVALID_URI = "InvalidStorageUri"
INVALID_SPEC = "InvalidStorageSpec"
NO_CONTAINER = "StorageContainerNotUsable"
NO_SECRET = "StorageSecretNotUsable"  # noqa: S105  a reason
