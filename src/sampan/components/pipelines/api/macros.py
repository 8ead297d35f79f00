"""Words in the text parameters of runs that stand for the run and its times: `[[ScheduledTime]]` and its kin. Pure.

Called where a run is made. What is not known here stays as it is: the engine has placeholders of its own.

Source: kubeflow/pipelines 2.17, backend/src/common/util/parameter_formatter.go; Go's package time (layouts).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_WORD = re.compile(r"\[\[.*?\]\]|\{\{\$\..*?\}\}")
_LAYOUT = re.compile(r"\[\[(ScheduledTime|CurrentTime)(?:\.(.*))?\]\]")
_STRFTIME = re.compile(r"\{\{\$\.(scheduledTime|currentTime)\.strftime\('(.*)'\)\}\}")
_DEFAULT = "%Y%m%d%H%M%S"
_KNOWN = set("AaBbCcDdeFHhIjklMmnpRrSsTtUuVvWwXxYyZz%")
"""What may follow a percent sign."""

# Go's layouts are an example of a time; longest first, so that January is not read as Jan and uary.
_GO: Mapping[str, str] = {
    "January": "%B",
    "Jan": "%b",
    "Monday": "%A",
    "Mon": "%a",
    "MST": "UTC",
    "2006": "%Y",
    "-07:00": "+00:00",
    "-0700": "+0000",
    "-07": "+00",
    "Z07:00": "Z",
    "Z0700": "Z",
    "002": "%j",
    "01": "%m",
    "02": "%d",
    "03": "%I",
    "04": "%M",
    "05": "%S",
    "06": "%y",
    "15": "%H",
    "_2": "%e",
    "PM": "%p",
    "pm": "pm",
    "1": "%-m",
    "2": "%-d",
    "3": "%-I",
    "4": "%-M",
    "5": "%-S",
}
_GO_WORD = re.compile("|".join(re.escape(word) for word in sorted(_GO, key=len, reverse=True)))


@dataclass(frozen=True, slots=True)
class Macros:
    """What the words stand for in one run. Times are seconds since the epoch; None: the word stays."""

    run_id: str
    now: int
    scheduled: int | None = None
    index: int | None = None

    def of_parameters(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters with the words replaced in those that are text; nothing inside lists and maps, as upstream."""
        return {
            name: self.format(value) if isinstance(value, str) else value
            for name, value in parameters.items()
        }

    def format(self, text: str) -> str:
        if "[[" not in text and "{{$." not in text:
            return text
        return _WORD.sub(lambda found: self._substitute(found.group()), text)

    def _substitute(self, word: str) -> str:
        if word == "[[RunUUID]]":
            return self.run_id
        if word == "[[Index]]" and self.index is not None:
            return str(self.index)
        if (found := _LAYOUT.fullmatch(word)) is not None:
            moment, layout = self._moment(found.group(1)), found.group(2)
            if moment is None:
                return word
            return moment.strftime(_DEFAULT) if layout is None else _go(moment, layout)
        if (found := _STRFTIME.fullmatch(word)) is not None:
            moment, pattern = self._moment(found.group(1)), found.group(2)
            if moment is not None and set(re.findall("%(.?)", pattern)) <= _KNOWN:
                return _strftime(moment, pattern)
        return word

    def _moment(self, name: str) -> datetime | None:
        seconds = self.now if name.lower() == "currenttime" else self.scheduled
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _go(moment: datetime, layout: str) -> str:
    def replaced(found: re.Match[str]) -> str:
        pattern = _GO[found.group()]
        if pattern == "pm":
            return moment.strftime("%p").lower()
        return moment.strftime(pattern) if pattern.startswith("%") else pattern

    return _GO_WORD.sub(replaced, layout)


def _strftime(moment: datetime, pattern: str) -> str:
    # Seconds since the epoch would be taken in the machine's own zone.
    return re.sub(
        "%(.)",
        lambda found: (
            str(int(moment.timestamp())) if found.group(1) == "s" else moment.strftime(found.group())
        ),
        pattern,
    )
