"""Lines that a trial prints or writes, and the values of metrics in them.

Called by collectors, for lines of a log or a file, in order. Pure. A user's expressions are matched by RE2, which is
Go's and linear in the text; it is loaded with the first of them.

Source: kubeflow/katib 0.19 pkg/metricscollector/v1beta1/file-metricscollector/file-metricscollector.go
(parseLogsInTextFormat, parseLogsInJsonFormat) and common/const.go (the default filter). Upstream takes an empty text
for the value of `accuracy=high`; here it is told of. In JSON, numbers count beside texts.
"""

from __future__ import annotations

import importlib
import json
import re
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol

from sampan.components.tuning.api.observing import finite, microseconds
from sampan.components.tuning.engine.collecting.wanted import JSON, Wanted

DEFAULT_FILTER = r"([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)"
MAX_LINE = 64 * 1024
"""Characters of a line that are looked at."""
_NAME = string.ascii_letters + string.digits + "_|-"
_VALUE = re.compile(r"\s*([+-]?\d*(?:\.\d+)?(?:[Ee][+-]?\d+)?)", re.ASCII)
_NOT_FINITE = re.compile(r"\s*([+-]?(?:nan|infinity|inf))(?![\w.])", re.IGNORECASE | re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)\Z", re.ASCII)
_DIGIT = re.compile(r"\d")
_SHOWN = 200
_MOST_PROBES = 8
"""Texts for values in one line, each of which has the line looked through again."""
_TIMESTAMP = "timestamp"


class Pattern(Protocol):
    groups: int

    def finditer(self, text: str) -> Iterator[Any]: ...


@dataclass(frozen=True, slots=True)
class Values:
    """Of one line."""

    time: str
    found: tuple[tuple[str, str], ...] = ()
    """Names with values: numbers as they were written, what floats call NaN and infinities, or texts that a user's
    filter looks for."""
    oddity: str = ""
    """What is wrong with a value of the objective, or may be meant for one."""
    missed: str = ""
    """Why there is no value of the objective where one might be."""


@dataclass(slots=True)
class Complaint:
    """About a line that was meant to say the objective's value, and does not."""

    number: int
    text: str
    why: str

    def __str__(self) -> str:
        return f"line {self.number} says {self.text!r}, {self.why}"


class Lines:
    """The lines of one log or file."""

    def __init__(self, wanted: Wanted) -> None:
        """Raises ValueError for an expression that is none."""
        self._metrics = wanted.metrics
        self._take = self._json if wanted.format == JSON else self._text
        self._patterns = [compiled(each) for each in wanted.filters]
        self.count = 0
        self.complaint: Complaint | None = None
        """About the last line that has one."""
        self.missed: Complaint | None = None
        """About the last line that names the objective and a number, and in which no filter finds its value: it may be
        about something else, and is worth a word where nothing is found at all."""
        self.is_last_odd = False
        """Whether that line came after all values of the objective."""

    def take(self, line: str, time: str) -> Values:
        """`time` is when it was printed: what counts where the line begins with no time of its own."""
        self.count += 1
        values = self._take(line[:MAX_LINE], time)
        if any(name == self._metrics[0] for name, _ in values.found):
            self.is_last_odd = False
        if values.oddity:
            self.complaint = Complaint(self.count, line.strip()[:_SHOWN], values.oddity)
            self.is_last_odd = True
        elif values.missed:
            self.missed = Complaint(self.count, line.strip()[:_SHOWN], values.missed)
        return values

    def _text(self, line: str, time: str) -> Values:
        if not any(each in line for each in self._metrics):
            return Values(time)
        found: list[tuple[str, str]] = []
        oddity = ""
        for name, value, after, is_text in self._matches(line):
            if name not in self._metrics:
                continue
            if finite(value) is None and not is_text:
                special = _NOT_FINITE.match(value + after)
                if special is None:
                    if name == self._metrics[0]:
                        oddity = f"where {name} has no number for a value"
                    continue
                value = special[1]
            found.append((name, value))
        missed = ""
        if not found and not oddity:
            missed = self._why_missed(line)
            oddity = missed if _names(line, self._metrics[0]) else ""
        return Values(_own_time(line) or time, tuple(found), oddity, missed)

    def _why_missed(self, line: str) -> str:
        _, name, after = line.partition(self._metrics[0])
        is_missed = name and (_names(line, name) or _DIGIT.search(after))
        return f"which no filter finds a value of {name} in" if is_missed else ""

    def _matches(self, line: str) -> Iterator[tuple[str, str, str, bool]]:
        """Name, value, the text behind it, and whether it is a text that the user's filter is meant to find."""
        if not self._patterns:
            for name, value, after in _default_matches(line):
                yield name, value, after, False
            return
        probes = _MOST_PROBES
        for pattern in self._patterns:
            for match in pattern.finditer(line):
                groups = match.groups()
                if len(groups) >= 2:
                    name, value = (groups[0] or "").strip(), (groups[1] or "").strip()
                    is_text = name in self._metrics and finite(value) is None and probes > 0
                    if is_text:
                        probes -= 1
                        is_text = _wants_text(pattern, match, line)
                    yield name, value, line[match.end() :], is_text

    def _json(self, line: str, time: str) -> Values:
        if not line.strip():
            return Values(time)
        try:
            # Numbers as they were written.
            found = json.loads(line, parse_float=str, parse_int=str, parse_constant=str)
        except (ValueError, RecursionError) as error:
            return Values(time, oddity=f"which is not JSON: {error}")
        if not isinstance(found, dict):
            return Values(time, oddity="which is no JSON object")
        values: list[tuple[str, str]] = []
        oddity = ""
        for name in self._metrics:
            value = found.get(name)
            if value is None:
                continue
            text = value.strip() if isinstance(value, str) else ""
            if finite(text) is not None or _NOT_FINITE.fullmatch(text):
                values.append((name, text))
            elif name == self._metrics[0]:
                oddity = f"where {name} has no number for a value"
        return Values(_json_time(found.get(_TIMESTAMP)) or time, tuple(values), oddity)


def filter_problem(text: str) -> str:
    """What is wrong with a user's filter; empty when nothing is."""
    try:
        compiled(text)
    except ValueError as error:
        return str(error)
    return ""


@lru_cache(maxsize=256)
def compiled(text: str) -> Pattern:
    """Raises ValueError."""
    re2: Any = importlib.import_module("re2")
    options = re2.Options()
    options.log_errors = False
    try:
        found: Pattern = re2.compile(text, options)
    except re2.error as error:
        reason = error.args[0] if error.args else error
        reason = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else reason
        raise ValueError(f"{text!r} is no regular expression: {reason}") from error
    return found


def _wants_text(pattern: Pattern, match: Any, line: str) -> bool:
    """Whether the filter found a text where it would find no number: so it is texts that it looks for, such as the
    architectures that DARTS reports."""
    start, end = match.span(2)
    if start == end or _NOT_FINITE.fullmatch(match[2]):
        return False
    probe = line[:start] + "1" + line[end:]
    return all(each.span(2) != (start, start + 1) for each in pattern.finditer(probe))


def _default_matches(line: str) -> Iterator[tuple[str, str, str]]:
    """What DEFAULT_FILTER finds, in time linear in the line: it is looked for from each `=` to both sides."""
    start = 0
    while (sign := line.find("=", start)) >= 0:
        head = line[start:sign].rstrip()
        name = head[len(head.rstrip(_NAME)) :]
        if not name:
            start = sign + 1
            continue
        value = _VALUE.match(line, sign + 1)
        assert value is not None, "it matches the empty text"
        yield name, value[1], line[value.end() :]
        start = value.end()


def _names(line: str, metric: str) -> bool:
    """Whether the line may be meant to say the metric's value: its name, then a colon, an equals sign or a number."""
    at = line.find(metric)
    rest = line[at + len(metric) :].lstrip(" \t\"'") if at >= 0 else ""
    return bool(rest) and (rest[0] in ":=" or rest[0].isdigit())


def _own_time(line: str) -> str:
    head, space, _ = line.partition(" ")
    return head if space and is_time(head) else ""


def is_time(text: str) -> bool:
    """Whether it is one in RFC 3339."""
    if not _TIME.match(text):
        return False
    try:
        microseconds(text)
    except ValueError:
        return False
    return True


def _json_time(found: Any) -> str:
    """Of a text in RFC 3339, or of seconds since the epoch."""
    if not isinstance(found, str):
        return ""
    if is_time(found):
        return found
    number = finite(found)
    try:
        moment = datetime.fromtimestamp(number, UTC) if number is not None else None
    except (ValueError, OverflowError, OSError):
        return ""
    return moment.isoformat().replace("+00:00", "Z") if moment is not None else ""


def summary(complaints: Sequence[tuple[str, Complaint]]) -> str:
    """In words: places with what is wrong there."""
    return "; ".join(f"in {place} {each}" for place, each in complaints[:3])
