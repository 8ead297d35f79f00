"""Functions below `sprig.`, for those that expressions can well use. As in Sprig, most do not fail.

Source: masterminds.github.io/sprig, v3. Functions that read the environment or make keys are left out, as in Argo.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import random
import re
import string
import urllib.parse
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sampan.components.pipelines.api.argo.durations import parse_duration
from sampan.components.pipelines.api.argo.errors import ArgoError
from sampan.components.pipelines.api.argo.expressions.functions import (
    from_json,
    joined,
    matches,
    replaced,
    to_json,
    to_string,
)
from sampan.components.pipelines.api.argo.layouts import format_time
from sampan.lib.clock import parse_rfc3339
from sampan.lib.ids import new_uid

_LONGEST = 1_000_000


def _int(value: Any) -> int:
    try:
        return int(float(value))
    except (TypeError, ValueError, OverflowError):
        return 0


def _float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0


def _date(layout: str, moment: Any) -> str:
    """What is no time is now: so Sprig has it."""
    if isinstance(moment, int | float) and not isinstance(moment, bool):
        moment = datetime.fromtimestamp(moment, UTC)
    return format_time(moment if isinstance(moment, datetime) else datetime.now(UTC), layout)


def _random(characters: str) -> Callable[[int], str]:
    def made(length: int) -> str:
        if length > _LONGEST:
            raise ArgoError("a random text of that length is too long")
        return "".join(random.choices(characters, k=length))  # noqa: S311  no secret: test data, names

    return made


def _count(start: int, stop: int, step: int = 1) -> str:
    numbers = range(start, stop + (1 if step > 0 else -1), step)
    if len(numbers) > _LONGEST:
        raise ArgoError("a sequence of that length is too long")
    return " ".join(str(number) for number in numbers)


def _repeat(count: int, text: str) -> str:
    if count * len(text) > 32 * _LONGEST:
        raise ArgoError("repeat() makes a text that is too long")
    return text * count


def _default(value: Any, given: Any = None) -> Any:
    return given if given not in (None, "", 0, False, [], {}) else value


def _coalesce(*values: Any) -> Any:
    return next((value for value in values if value not in (None, "", 0, False, [], {})), None)


def _date_modify(by: str, moment: Any) -> datetime:
    base = moment if isinstance(moment, datetime) else datetime.now(UTC)
    return base + parse_duration(by)


def _until(count: int) -> list[int]:
    if count > _LONGEST:
        raise ArgoError("until() makes a list that is too long")
    return list(range(count))


def _substring(start: int, end: int, text: str) -> str:
    if start < 0:
        return text[:end]
    return text[start:] if end < 0 or end > len(text) else text[start:end]


def _title(text: str) -> str:
    return re.sub(r"(^|\s)(\w)", lambda match: match[1] + match[2].upper(), text)


def _snake(text: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[-\s]+", "_", text).lower()


def _camel(text: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[_\s-]+", text))


def _go_round(value: Any, places: int = 0) -> float:
    factor = 10.0**places
    return math.floor(_float(value) * factor + 0.5) / factor


def _indent(spaces: int, text: str) -> str:
    lines = text.split("\n")
    if spaces * len(lines) > 32 * _LONGEST:
        raise ArgoError("indent() makes a text that is too long")
    return "\n".join(" " * spaces + line for line in lines)


def _digest(name: str) -> Callable[[str], str]:
    return lambda text: hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()


def _integers(fold: Callable[[int, int], int]) -> Callable[..., int]:
    def folded(first: Any, *rest: Any) -> int:
        total = _int(first)
        for value in rest:
            total = fold(total, _int(value))
        return total

    return folded


def _divided(left: int, right: int) -> int:
    if not right:
        raise ArgoError("division by zero")
    return int(left / right)


def _duration_round(value: Any) -> str:
    moment = value if isinstance(value, timedelta) else parse_duration(str(value))
    total = int(moment.total_seconds())
    for size, unit in ((31_536_000, "y"), (2_592_000, "mo"), (86_400, "d"), (3600, "h"), (60, "m")):
        if total >= size:
            return f"{total // size}{unit}"
    return f"{total}s"


_TEXT: dict[str, Callable[..., Any]] = {
    "trim": str.strip,
    "trimAll": lambda characters, text: text.strip(characters),
    "trimSuffix": lambda suffix, text: text.removesuffix(suffix),
    "trimPrefix": lambda prefix, text: text.removeprefix(prefix),
    "upper": str.upper,
    "lower": str.lower,
    "title": _title,
    "untitle": lambda text: text[:1].lower() + text[1:],
    "repeat": _repeat,
    "substr": _substring,
    "nospace": lambda text: re.sub(r"\s", "", text),
    "trunc": lambda count, text: text[:count] if count >= 0 else text[count:],
    "contains": lambda part, text: part in text,
    "hasPrefix": lambda prefix, text: text.startswith(prefix),
    "hasSuffix": lambda suffix, text: text.endswith(suffix),
    "quote": lambda *values: " ".join(json.dumps(to_string(value)) for value in values if value is not None),
    "squote": lambda *values: " ".join(f"'{to_string(value)}'" for value in values if value is not None),
    "cat": lambda *values: " ".join(to_string(value) for value in values if value is not None),
    "indent": _indent,
    "nindent": lambda spaces, text: "\n" + _indent(spaces, text),
    "replace": lambda old, new, text: replaced(text, old, new),
    "snakecase": _snake,
    "camelcase": _camel,
    "kebabcase": lambda text: _snake(text).replace("_", "-"),
    "randAlphaNum": _random(string.ascii_letters + string.digits),
    "randAlpha": _random(string.ascii_letters),
    "randNumeric": _random(string.digits),
    "randAscii": _random(string.printable[:95]),
    "regexMatch": lambda pattern, text: matches(text, pattern),
    "split": lambda separator, text: {f"_{index}": part for index, part in enumerate(text.split(separator))},
    "splitList": lambda separator, text: text.split(separator),
    "join": lambda glue, items: joined([to_string(item) for item in items], glue),
    "sortAlpha": lambda items: sorted(to_string(item) for item in items),
    "toString": to_string,
    "b64enc": lambda text: base64.b64encode(text.encode()).decode(),
    "b64dec": lambda text: base64.b64decode(text).decode(errors="replace"),
    "sha256sum": _digest("sha256"),
    "sha1sum": _digest("sha1"),
    "md5sum": _digest("md5"),
    "urlquery": urllib.parse.quote_plus,
    "uuidv4": new_uid,
    "toJson": to_json,
    "fromJson": from_json,
    "toPrettyJson": lambda value: json.dumps(value, indent=2),
}
_NUMBERS: dict[str, Callable[..., Any]] = {
    "int": _int,
    "int64": _int,
    "float64": _float,
    "atoi": _int,
    "toDecimal": lambda value: int(str(value), 8),
    "add": _integers(lambda left, right: left + right),
    "add1": lambda value: _int(value) + 1,
    "sub": _integers(lambda left, right: left - right),
    "mul": _integers(lambda left, right: left * right),
    "div": _integers(_divided),
    "mod": _integers(lambda left, right: int(math.fmod(left, right))),
    "max": _integers(max),
    "min": _integers(min),
    "addf": lambda *values: sum(_float(value) for value in values),
    "subf": lambda first, *rest: _float(first) - sum(_float(value) for value in rest),
    "mulf": lambda *values: math.prod(_float(value) for value in values),
    "divf": lambda left, right: _float(left) / _float(right),
    "maxf": lambda *values: max(_float(value) for value in values),
    "minf": lambda *values: min(_float(value) for value in values),
    "ceil": lambda value: float(math.ceil(_float(value))),
    "floor": lambda value: float(math.floor(_float(value))),
    "round": _go_round,
    "randInt": lambda low, high: random.randrange(low, high),  # noqa: S311  no secret
    "seq": lambda *values: _count(*(values if len(values) > 1 else (1, values[0]))),
    "until": _until,
}
_OTHERS: dict[str, Callable[..., Any]] = {
    "default": _default,
    "empty": lambda value: value in (None, "", 0, False, [], {}),
    "coalesce": _coalesce,
    "ternary": lambda yes, no, condition: yes if condition else no,
    "list": lambda *values: list(values),
    "first": lambda items: items[0] if items else None,
    "last": lambda items: items[-1] if items else None,
    "rest": lambda items: items[1:],
    "initial": lambda items: items[:-1],
    "append": lambda items, value: [*items, value],
    "prepend": lambda items, value: [value, *items],
    "reverse": lambda items: items[::-1],
    "uniq": lambda items: list(dict.fromkeys(items)),
    "without": lambda items, *values: [item for item in items if item not in values],
    "has": lambda value, items: value in items,
    "compact": lambda items: [item for item in items if item not in (None, "", 0, False)],
    "dict": lambda *pairs: dict(zip(pairs[::2], pairs[1::2], strict=True)),
    "get": lambda of, key: of.get(key, ""),
    "hasKey": lambda of, key: key in of,
    "keys": lambda *maps: [key for of in maps for key in of],
    "values": lambda of: list(of.values()),
    "pick": lambda of, *names: {key: of[key] for key in names if key in of},
    "omit": lambda of, *names: {key: value for key, value in of.items() if key not in names},
    "merge": lambda *maps: {key: value for of in reversed(maps) for key, value in of.items()},
    "kindOf": lambda value: type(value).__name__,
    "now": lambda: datetime.now(UTC),
    "date": _date,
    "htmlDate": lambda moment: _date("2006-01-02", moment),
    "dateModify": _date_modify,
    "date_modify": _date_modify,
    "toDate": lambda _layout, text: parse_rfc3339(text if "T" in text else f"{text}T00:00:00Z"),
    "unixEpoch": lambda moment: str(int(moment.timestamp())),
    "duration": lambda count: f"{_int(count)}s",
    "durationRound": _duration_round,
}
SPRIG: Mapping[str, Callable[..., Any]] = {**_TEXT, **_NUMBERS, **_OTHERS}
