"""What a request is answered that cannot be served. The texts are kserve's where clients may look for them.

Source: kserve/kserve 0.20 python/kserve/kserve/errors.py.
"""

from __future__ import annotations

import re

# Of texts of libraries, which name files of this machine. A request that asks for what there is not sees none.
_PATH = re.compile(r"""(?<![\w:/.])(?:[A-Za-z]:)?(?:[/\\][\w.@+~-]+){2,}[/\\]?""")
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")
_MAX_TEXT = 2000


class RequestError(Exception):
    """`status` is HTTP's; the message is for the caller."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class NoRouteError(RequestError):
    """Nothing is there at all, whatever the model."""


def bad(message: str) -> RequestError:
    return RequestError(400, message)


def unknown_model(name: str) -> RequestError:
    return RequestError(404, f"Model with name {name} does not exist.")


def not_ready(name: str, why: str = "") -> RequestError:
    return RequestError(503, f"Model with name {name} is not ready." + (f" {why}" if why else ""))


def without_paths(text: str) -> str:
    """For a caller, who is to learn nothing of this machine: without paths, addresses and traces."""
    text = text.strip().partition("\nTraceback")[0]
    return _ADDRESS.sub("…", _PATH.sub("…", text))[:_MAX_TEXT]


def told(error: BaseException) -> str:
    """What may be said of an error that nobody foresaw."""
    text = without_paths(str(error))
    return f"{type(error).__name__} : {text}" if text else type(error).__name__
