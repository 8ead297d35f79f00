"""Tickets: who may see which content, until when, signed. They stand in addresses and grant nothing else.

The key is in the home, for its owner only; who has no ticket of this server gets nothing from the content host.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from sampan.lib.files import replace_bytes
from sampan.ui.content import KINDS, Content
from sampan.web.guards import User

LIFE_SECONDS = 15 * 60
_MOST_CHARACTERS = 8192
_KEY_BYTES = 32


class TicketError(Exception):
    """No ticket of this server, or one that has expired. The message says which."""


@dataclass(frozen=True, slots=True)
class Ticket:
    user: User
    content: Content
    page_host: str
    """Of the page that may show it, with its port."""
    expires: int
    """Seconds since 1970."""


class Tickets:
    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, ticket: Ticket) -> str:
        user, content = ticket.user, ticket.content
        told = {
            "u": [
                user.name,
                list(user.groups),
                user.uid,
                {key: list(values) for key, values in user.extra.items()},
            ],
            "k": content.kind,
            "p": content.path,
            "q": dict(content.query),
            "w": list(content.part),
            "h": ticket.page_host,
            "e": ticket.expires,
        }
        body = _encoded(msgspec.json.encode(told))
        return f"{body}.{_encoded(self._signature(body))}"

    def read(self, text: str, now: float) -> Ticket:
        """Raises TicketError."""
        body, _, signature = text.partition(".")
        if len(text) > _MOST_CHARACTERS or not body.isascii() or not signature.isascii():
            raise TicketError("this address is none of this server's")
        if not hmac.compare_digest(_encoded(self._signature(body)), signature):
            raise TicketError("this address is none of this server's")
        ticket = _ticket(msgspec.json.decode(_decoded(body)))
        if ticket.expires <= now:
            raise TicketError("this address has expired; open the page that led here again")
        return ticket

    def _signature(self, body: str) -> bytes:
        # The purpose is part of it: a key that signs two things must not sign one as the other.
        return hmac.new(self._key, b"sampan content\n" + body.encode(), hashlib.sha256).digest()


def key_of(home: Path) -> bytes:
    """Made when it is first needed. Blocks. Raises OSError."""
    file = home / "dashboard" / "content.key"
    try:
        key = file.read_bytes()
        if len(key) == _KEY_BYTES:
            return key
    except FileNotFoundError:
        pass
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = secrets.token_bytes(_KEY_BYTES)
    replace_bytes(file, key, 0o600)
    return key


def _ticket(told: Any) -> Ticket:
    name, groups, uid, extra = told["u"]
    if told["k"] not in KINDS:
        raise TicketError("this address is of another version of the server")
    user = User(name, tuple(groups), uid, {key: tuple(values) for key, values in extra.items()})
    return Ticket(user, Content(told["k"], told["p"], told["q"], tuple(told["w"])), told["h"], int(told["e"]))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, binascii.Error) as error:
        raise TicketError("this address is none of this server's") from error
