"""Structured logging: a constant message and fields, one line an event.

    log = get_logger(__name__)
    log.info("pod started", namespace=ns, pod=name)

Lines go to the standard library's logging, so that handlers and levels are the usual ones.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

_PLAIN = re.compile(r"[\w./:@+=,-]+\Z")


class Logger:
    """A logger whose fields are keyword arguments. Values are written as text, quoted when needed."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def debug(self, message: str, **fields: object) -> None:
        self._write(logging.DEBUG, message, fields)

    def info(self, message: str, **fields: object) -> None:
        self._write(logging.INFO, message, fields)

    def warning(self, message: str, **fields: object) -> None:
        self._write(logging.WARNING, message, fields)

    def error(self, message: str, *, exc: BaseException | None = None, **fields: object) -> None:
        """`exc` is logged with its traceback: use it for our own faults, not for a user's input."""
        self._write(logging.ERROR, message, fields, exc)

    def _write(
        self, level: int, message: str, fields: dict[str, object], exc: BaseException | None = None
    ) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, message, extra={"fields": fields}, exc_info=exc)


def get_logger(name: str) -> Logger:
    return Logger(logging.getLogger(name))


class FieldFormatter(logging.Formatter):
    """`2026-01-31T12:00:00.123Z INFO sampan.app  server ready port=8080`."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        fields: dict[str, object] = getattr(record, "fields", {})
        text = "".join(f" {key}={_quoted(value)}" for key, value in fields.items())
        line = f"{moment} {record.levelname} {record.name}  {record.getMessage()}{text}"
        if record.exc_info:
            line = f"{line}\n{self.formatException(record.exc_info)}"
        return line


class _LogFile(logging.FileHandler):
    """A line that cannot be written (the disk is full) is lost: nobody needs its traceback on the terminal."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  the standard library's name
        pass


def configure(level: str = "INFO", file: Path | None = None) -> None:
    """Sends the log of the whole process to `file`, or to stderr. Called once, by the composition root."""
    handler: logging.Handler = _LogFile(file) if file else logging.StreamHandler(sys.stderr)
    handler.setFormatter(FieldFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Access lines of every request would bury what matters.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logging.getLogger("httpx").setLevel(logging.WARNING)


def _quoted(value: object) -> str:
    text = str(value)
    return text if _PLAIN.match(text) else json.dumps(text, ensure_ascii=False)
