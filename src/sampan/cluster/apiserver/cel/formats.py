"""The `format` of a string in a schema: those that Kubernetes checks, others are ignored.

Source: apiextensions-apiserver/pkg/apiserver/validation/formats.go, k8s.io/kube-openapi/pkg/validation/strfmt, v1.31.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Callable
from datetime import date
from urllib.parse import urlsplit

from sampan.kube import names
from sampan.kube.quantities import parse as parse_quantity
from sampan.lib.clock import parse_rfc3339

_HEX = "[0-9a-fA-F]"
_UUID = re.compile(f"{_HEX}{{8}}-?{_HEX}{{4}}-?({_HEX}){_HEX}{{3}}-?({_HEX}){_HEX}{{3}}-?{_HEX}{{12}}")
_MAC = re.compile(f"{_HEX}{{2}}([:-]{_HEX}{{2}}){{5}}|{_HEX}{{4}}(\\.{_HEX}{{4}}){{2}}")
_DURATION_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_WORD_DURATION = re.compile(r"\s*\d+\s*([A-Za-zµ]+)\s*")
_WORDS = re.compile(
    "(ns|nano(second)?s?|us|µs|micro(second)?s?|ms|milli(second)?s?|s|sec|seconds?|m|min|minutes?"
    "|h|hr|hours?|d|days?|w|wk|weeks?)"
)
_HOSTNAME = re.compile(
    r"([a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?\.)*[a-zA-Z0-9]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?"
)
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")
_COLOR = re.compile("#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})")


def _raises(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            parse(text)
        except (ValueError, OverflowError, TypeError):
            return False
        return True

    return check


def _uuid(version: str) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        found = _UUID.fullmatch(text)
        return found is not None and (not version or found[1] == version)

    return check


def is_duration(text: str) -> bool:
    """Go's form (`1h30m`), or a number with a word (`3 days`)."""
    word = _WORD_DURATION.fullmatch(text)
    if word is not None and _WORDS.fullmatch(word[1].lower()):
        return True
    rest = text.lstrip("+-")
    if len(text) - len(rest) > 1:
        return False
    return rest == "0" or (bool(rest) and not _DURATION_PART.sub("", rest))


def _ip(version: int) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            return ipaddress.ip_address(text).version == version
        except ValueError:
            return False

    return check


def _cidr(text: str) -> None:
    if "/" not in text:
        raise ValueError(text)
    ipaddress.ip_network(text, strict=False)


def _uri(text: str) -> None:
    found = urlsplit(text)
    if not found.scheme and not text.startswith("/"):
        raise ValueError(text)


_CHECKS: dict[str, Callable[[str], bool]] = {
    "date-time": _raises(parse_rfc3339),
    "datetime": _raises(parse_rfc3339),
    "date": lambda text: len(text) == 10 and _raises(date.fromisoformat)(text),
    "duration": is_duration,
    "byte": _raises(lambda text: base64.b64decode(text, validate=True)),
    "ipv4": _ip(4),
    "ipv6": _ip(6),
    "cidr": _raises(_cidr),
    "mac": lambda text: _MAC.fullmatch(text) is not None,
    "uuid": _uuid(""),
    "uuid3": _uuid("3"),
    "uuid4": _uuid("4"),
    "uuid5": _uuid("5"),
    "hostname": lambda text: len(text) <= 253 and _HOSTNAME.fullmatch(text) is not None,
    "email": lambda text: _EMAIL.fullmatch(text) is not None,
    "uri": _raises(_uri),
    "hexcolor": lambda text: _COLOR.fullmatch(text) is not None,
    "k8s-short-name": lambda text: not names.dns_label(text),
    "k8s-long-name": lambda text: not names.dns_subdomain(text),
    "quantity": _raises(parse_quantity),
}


def is_of(format_: str, text: str) -> bool:
    """True for a format that nobody checks."""
    check = _CHECKS.get(format_)
    return check is None or check(text)
