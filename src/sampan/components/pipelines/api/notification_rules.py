"""What a notification may be: checked when it is made. Secrets are taken out of it, and never put back. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sampan.client.addresses import checked_url, is_public, is_reserved
from sampan.components.pipelines.api.errors import InvalidArgumentError
from sampan.components.pipelines.api.states import RuntimeState
from sampan.components.pipelines.api.trigger_sources import check_secret_ref

CHANNELS = ("webhook", "slack", "email")
DEFAULT_LOG_LINES = 20
_MOST_LOG_LINES = 200
_MOST_RECIPIENTS = 50
_MOST_SECONDS = 366 * 24 * 3600
_STATES = tuple(
    state.value
    for state in (
        RuntimeState.RUNNING,
        RuntimeState.SUCCEEDED,
        RuntimeState.FAILED,
        RuntimeState.CANCELING,
        RuntimeState.CANCELED,
        RuntimeState.PAUSED,
    )
)
# Enough to keep headers from being written through an address; whether somebody is there, the mail server knows.
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){0,8}")


@dataclass(frozen=True, slots=True)
class Rule:
    """As it is stored."""

    channel: str
    target: dict[str, Any]
    secrets: dict[str, str]
    states: list[str]
    longer_than_seconds: int
    log_lines: int


def read_rule(given: Mapping[str, Any], *, allow_private: bool) -> Rule:
    """From a decoded message. Raises InvalidArgumentError naming the field."""
    channels = [name for name in CHANNELS if name in given]
    if len(channels) != 1:
        raise InvalidArgumentError(
            f"notification: give exactly one of {', '.join(CHANNELS)}: where it is sent"
        )
    longer = given.get("longer_than_seconds", 0)
    if not 0 <= longer <= _MOST_SECONDS:
        raise InvalidArgumentError(
            f"notification.longer_than_seconds must be 0 to {_MOST_SECONDS}, not {longer}"
        )
    states = given.get("states") or ([] if longer else [RuntimeState.FAILED.value])
    for state in states:
        if state not in _STATES:
            raise InvalidArgumentError(
                f"notification.states: {state[:40]!r} is not one of {', '.join(_STATES)}"
            )
    lines = given.get("log_lines", DEFAULT_LOG_LINES)
    if not 0 <= lines <= _MOST_LOG_LINES:
        raise InvalidArgumentError(f"notification.log_lines must be 0 to {_MOST_LOG_LINES}, not {lines}")
    channel = channels[0]
    target, secrets = dict(given[channel]), dict[str, str]()
    path = f"notification.{channel}"
    if channel == "email":
        _check_recipients(target.get("to") or [], path)
    else:
        _take_url(target, secrets, path, allow_private=allow_private)
        _take_secret(target, secrets, path)
    return Rule(channel, target, secrets, list(dict.fromkeys(states)), longer, lines)


def _take_url(target: dict[str, Any], secrets: dict[str, str], path: str, *, allow_private: bool) -> None:
    if ("url" in target) == ("url_secret_ref" in target):
        raise InvalidArgumentError(f"{path}: give either url or url_secret_ref")
    if "url_secret_ref" in target:
        check_secret_ref(target["url_secret_ref"], f"{path}.url_secret_ref")
        return
    url = target.pop("url")
    try:
        parts = checked_url(url)
    except ValueError as error:
        raise InvalidArgumentError(f"{path}.url {error}") from error
    try:
        address = ipaddress.ip_address(parts.hostname or "")
    except ValueError:
        address = None  # a name: what it leads to is looked at whenever something is sent
    if address is not None and (is_reserved(address) or not (allow_private or is_public(address))):
        raise InvalidArgumentError(
            f"{path}.url: {parts.hostname!r} is a private or loopback address; it is not used unless "
            "pipelines.allow_private_urls is set"
        )
    secrets["url"] = url
    # The rest may be a secret, as Slack's URLs are.
    target["url"] = f"{parts.scheme}://{parts.netloc}/…"


def _take_secret(target: dict[str, Any], secrets: dict[str, str], path: str) -> None:
    if "secret" in target and "secret_ref" in target:
        raise InvalidArgumentError(f"{path}: give only one of secret and secret_ref")
    if "secret_ref" in target:
        check_secret_ref(target["secret_ref"], f"{path}.secret_ref")
    if secret := target.pop("secret", ""):
        secrets["secret"] = secret
        target["signed"] = True


def _check_recipients(to: list[str], path: str) -> None:
    if not 1 <= len(to) <= _MOST_RECIPIENTS:
        raise InvalidArgumentError(f"{path}.to must name 1 to {_MOST_RECIPIENTS} addresses, not {len(to)}")
    for address in to:
        if not _ADDRESS.fullmatch(address):
            raise InvalidArgumentError(
                f"{path}.to: {address[:80]!r} is no mail address such as me@example.com"
            )
