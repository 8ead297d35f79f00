"""Times written by Go's layouts (`2006-01-02 15:04`), and by the letters of strftime."""

from __future__ import annotations

import re
from datetime import datetime

_PARTS = {
    "2006": "%Y",
    "January": "%B",
    "Jan": "%b",
    "Monday": "%A",
    "Mon": "%a",
    "MST": "%Z",
    "Z07:00": "%:z",
    "-07:00": "%:z",
    "-0700": "%z",
    "002": "%j",
    "01": "%m",
    "02": "%d",
    "03": "%I",
    "04": "%M",
    "05": "%S",
    "06": "%y",
    "15": "%H",
    "PM": "%p",
    "pm": "%p",
}
_LAYOUT = re.compile(
    "|".join(re.escape(part) for part in sorted(_PARTS, key=len, reverse=True)) + r"|\.0+|\.9+|[1-5]|_2"
)
_SINGLE = {"1": "%m", "2": "%d", "3": "%I", "4": "%M", "5": "%S"}


def format_time(moment: datetime, layout: str) -> str:
    def shown(match: re.Match[str]) -> str:
        part = match[0]
        if part.startswith("."):
            return f".{moment.microsecond:06d}{'000':s}"[: len(part)]
        if part == "_2":
            return f"{moment.day:2d}"
        if part in _SINGLE:
            return moment.strftime(_SINGLE[part]).lstrip("0") or "0"
        if part in ("Z07:00", "-07:00"):
            offset = moment.strftime("%z")
            if part.startswith("Z") and offset in ("", "+0000"):
                return "Z"
            return f"{offset[:3]}:{offset[3:5]}"
        if part == "pm":
            return moment.strftime("%p").lower()
        return moment.strftime(_PARTS[part])

    return _LAYOUT.sub(shown, layout)


def strftime(moment: datetime, letter: str) -> str:
    """One letter of strftime, as `workflow.creationTimestamp.Y` has it."""
    if letter == "s":
        return str(int(moment.timestamp()))
    return moment.strftime(f"%{letter}")
