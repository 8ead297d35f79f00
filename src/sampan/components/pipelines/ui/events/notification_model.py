"""Notifications as pages show them, and as a form of them makes the API's messages. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.components.pipelines.ui.events.trigger_model import words_of
from sampan.components.pipelines.ui.recurring.schedule_words import interval
from sampan.ui.contract import Hit

CHANNELS = {"webhook": "Webhook", "slack": "Slack, Mattermost or Discord", "email": "Mail"}
ICONS = {"webhook": "webhook", "slack": "chat", "email": "mail"}
STATES = {
    "FAILED": "has failed",
    "SUCCEEDED": "has succeeded",
    "PAUSED": "waits for a decision",
    "CANCELED": "was stopped",
    "CANCELING": "is being stopped",
    "RUNNING": "begins",
}
"""What a run becomes, after "when a run"; what people most want to be told of comes first."""
SENT = {
    "PENDING": ("Waiting", "idle", "hourglass_empty"),
    "SENT": ("Sent", "ok", ""),
    "FAILED": ("Given up", "bad", ""),
}
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def channel_of(notification: Mapping[str, Any]) -> str:
    return next((channel for channel in CHANNELS if channel in notification), "webhook")


def to_whom(notification: Mapping[str, Any]) -> str:
    """Where it is sent; of an URL what the API shows of it."""
    channel = channel_of(notification)
    target = notification.get(channel, {})
    if channel == "email":
        return ", ".join(target.get("to") or ())
    reference = target.get("url_secret_ref")
    place = f"the URL in Secret {reference.get('name', '')}" if reference else str(target.get("url", ""))
    return f"{place} {target['channel']}" if target.get("channel") else place


def when(notification: Mapping[str, Any]) -> str:
    """As a part of a sentence: `when a run has …`."""
    said = []
    states = [STATES.get(each, each.lower()) for each in notification.get("states") or ()]
    if states:
        said.append(" or ".join(states))
    if longer := int(notification.get("longer_than_seconds", 0)):
        size = interval(longer)
        said.append(f"takes longer than {size if size[0].isdigit() else f'one {size}'}")
    return f"when a run {' or '.join(said)}"


def about(notification: Mapping[str, Any]) -> str:
    """Which runs; the kind of what they are of."""
    kinds = [kind for kind in ("run", "pipeline", "experiment") if notification.get(f"{kind}_id")]
    return " and ".join(f"one {kind}" for kind in kinds) or "all runs"


def target(channel: str, given: Mapping[str, Any], there: Mapping[str, Any]) -> dict[str, Any]:
    """The field of the API's message that says where it is sent, of a form's values. What is left empty stays."""
    if channel == "email":
        return {channel: {"to": words_of(str(given.get("to", "")))}}
    kept = {name: value for name, value in there.get(channel, {}).items() if name.endswith("_ref")}
    found = {name: str(given[name]) for name in ("url", "secret", "channel") if given.get(name)}
    if "url" in found:
        kept.pop("url_secret_ref", None)
    if "secret" in found:
        kept.pop("secret_ref", None)
    return {channel: kept | found}


def seconds(text: str) -> int:
    """Of `90s`, `15m`, `2h`, `1h30m`, or a number of seconds; nothing is 0. Raises ValueError."""
    text = text.strip().lower().replace(" ", "")
    if not text or text.isdigit():
        return int(text or 0)
    total, number = 0, ""
    for letter in text:
        if letter.isdigit():
            number += letter
        elif number and letter in _UNITS:
            total, number = total + int(number) * _UNITS[letter], ""
        else:
            raise ValueError(text)
    if number:
        raise ValueError(text)
    return total


def hit(notification: Mapping[str, Any]) -> Hit:
    return Hit(
        kind="Notification",
        name=str(notification["display_name"]),
        path=f"/notifications/{notification['notification_id']}",
        icon="notifications",
        detail=f"{when(notification)}, tells {to_whom(notification)}",
    )
