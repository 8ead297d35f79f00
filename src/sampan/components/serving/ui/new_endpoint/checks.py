"""What is wrong with a value of the form, as a sentence; nothing where it is right. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import Any

from sampan.kube import names, quantities

Check = Callable[[Any], str]
_MOST_NAME = 40
"""Of an endpoint's: names of revisions and pods are longer, and have to fit too."""
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_VARIABLE = re.compile(r"[-._A-Za-z][-._A-Za-z0-9]*")


def name(value: Any) -> str:
    text = str(value).strip()
    if not text:
        return ""
    if names.dns_1035_label(text):
        return "Lower case letters, digits and hyphens, a letter first"
    return "" if len(text) <= _MOST_NAME else f"At most {_MOST_NAME} characters"


def uri(value: Any) -> str:
    text = str(value).strip()
    return (
        "" if not text or _SCHEME.fullmatch(text) else "An address with a scheme, such as s3://bucket/model"
    )


def web(value: Any) -> str:
    text = str(value).strip()
    return (
        "" if not text or text.startswith(("http://", "https://")) else "An address with http:// or https://"
    )


def words(value: Any) -> str:
    try:
        shlex.split(str(value))
    except ValueError as error:
        return f"This cannot be read as a command: {error}"
    return ""


def port(value: Any) -> str:
    return "" if value is None or 1 <= value <= 65535 else "A port from 1 to 65535"


def percent(value: Any) -> str:
    return "" if value is None or 0 <= value <= 100 else "From 0 to 100"


def count(value: Any) -> str:
    return "" if value is None or 0 <= value <= 10_000 else "A number from 0"


def one(value: Any) -> str:
    return "" if value is None or 1 <= value <= 1_000_000 else "A number from 1"


def amount(value: Any) -> str:
    text = str(value).strip()
    if not text:
        return ""
    try:
        return "" if quantities.parse(text) >= 0 else "This cannot be less than nothing"
    except ValueError:
        return "An amount, such as 2, 500m or 4Gi"


def environment(value: Any) -> str:
    wrong = next((each for each in value if not _VARIABLE.fullmatch(each)), None)
    return "" if wrong is None else f"{wrong!r} is no name of a variable"


def adapters(value: Any) -> str:
    """Of names and places."""
    wrong = next((each for _, each in value.items() if not _SCHEME.fullmatch(str(each).strip())), None)
    return (
        "" if wrong is None else f"{wrong!r} is no address with a scheme, such as hf://organisation/adapter"
    )
