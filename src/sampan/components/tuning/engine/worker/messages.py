"""What server, template and an experiment's process say to each other, and how a message is framed.

Of an experiment's trials only what is new since the last question crosses: `Request.trials` come to those known before.
"""

from __future__ import annotations

import struct
from typing import Any

import msgspec

from sampan.components.tuning.api.suggesting import Answer, Problem, TrialRecord

LENGTH = struct.Struct(">I")
"""Before each message: its bytes."""

SUGGEST = "suggest"
IMPORTANCES = "importances"


class Request(msgspec.Struct, array_like=True):
    what: str
    made_by: str
    """`module:class` of who answers."""
    problem: Problem
    trials: tuple[TrialRecord, ...] = ()
    """New or changed; known by name."""
    afresh: bool = False
    """Whether `trials` are all there are, and those known before are to be forgotten."""
    count: int = 0
    asked: int = 0


class Reply(msgspec.Struct, array_like=True):
    answer: Answer | None = None
    figures: dict[str, Any] = {}
    refused: str = ""
    """The words of an InvalidSettingsError."""
    failed: str = ""
    """What went wrong otherwise."""


class Start(msgspec.Struct, array_like=True, tag="start"):
    """To the template, with a socket: fork a process that answers on it."""

    key: int
    made_by: str
    """To be imported before, so that the next one has it."""


class Kill(msgspec.Struct, array_like=True, tag="kill"):
    key: int


class Ended(msgspec.Struct, array_like=True, tag="ended"):
    """From the template: a process it forked is no more."""

    key: int
    status: int
    """As `os.waitstatus_to_exitcode` has it: negative for a signal."""


Order = Start | Kill

encode = msgspec.msgpack.encode
decode_request = msgspec.msgpack.Decoder(Request).decode
decode_reply = msgspec.msgpack.Decoder(Reply).decode
decode_order = msgspec.msgpack.Decoder(Order).decode
decode_ended = msgspec.msgpack.Decoder(Ended).decode


def framed(message: msgspec.Struct) -> bytes:
    body = encode(message)
    return LENGTH.pack(len(body)) + body
