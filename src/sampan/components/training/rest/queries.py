"""What requests say in their query, checked. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sampan.kube.errors import BadRequestError
from sampan.lib.clock import parse_rfc3339, rfc3339

MOST_TAIL = 100_000
_DURATION = re.compile(r"(\d{1,9})(s|m|h|d)?\Z")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class LogQuery:
    ranks: frozenset[str] = frozenset()
    """Such as `worker-0`, or a role alone, such as `worker`; empty for all."""
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    tail: int | None = None
    since: str = ""
    """RFC 3339 in UTC, with microseconds."""

    def wants(self, rank: str) -> bool:
        return not self.ranks or rank in self.ranks or rank.rpartition("-")[0] in self.ranks


def log_query(query: Mapping[str, str], now: datetime) -> LogQuery:
    """Raises BadRequestError, naming the parameter."""
    wanted = LogQuery(
        ranks=frozenset(each.strip() for each in query.get("ranks", "").split(",") if each.strip()),
        follow=flag(query, "follow"),
        previous=flag(query, "previous"),
        timestamps=flag(query, "timestamps"),
        tail=number(query, "tail", MOST_TAIL),
        since=_since(query.get("since", ""), now),
    )
    if wanted.follow and wanted.previous:
        raise BadRequestError("follow and previous exclude each other: a run that has ended says no more")
    return wanted


def flag(query: Mapping[str, str], name: str) -> bool:
    text = query.get(name, "").lower()
    if text not in ("", "true", "false", "1", "0", "t", "f"):
        raise BadRequestError(f"{name} must be true or false, not {text[:40]!r}")
    return text in ("true", "1", "t")


def number(query: Mapping[str, str], name: str, most: int) -> int | None:
    """None where it is not given."""
    text = query.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10) or int(text) > most:
        raise BadRequestError(f"{name} must be a whole number from 0 to {most}, not {text[:40]!r}")
    return int(text)


def _since(text: str, now: datetime) -> str:
    if not text:
        return ""
    if found := _DURATION.match(text):
        try:
            moment = now - timedelta(**{_UNITS[found[2] or "s"]: int(found[1])})
        except OverflowError as error:
            raise BadRequestError(f"since {text!r} is too long ago") from error
    else:
        try:
            moment = parse_rfc3339(text)
        except ValueError as error:
            raise BadRequestError(
                f"since must be a duration such as 10m, or a time as RFC 3339, not {text[:40]!r}"
            ) from error
    return rfc3339(moment, micro=True)
