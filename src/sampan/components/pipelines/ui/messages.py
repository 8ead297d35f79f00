"""What the engine says of a failure or a wait, as people read it: a line, or the head and the end of the log. Pure."""

from __future__ import annotations

import re

_QUOTED_LOG = "; the end of its log:"
"""Before the last lines of a step's log (`engine.driver`)."""
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_NO_PLACE = re.compile(
    r"(?:Unschedulable: )?\d+/\d+ nodes are available: .*?\.(?: preemption: .*?\.)?(?: |$)", re.DOTALL
)
"""The scheduler's count of nodes by what each lacks. Here a sentence follows that says what would have to change."""
_NEVER = re.compile(r"This cannot change by itself \((.*)\)\.")
_MOST_CHARACTERS = 160


def plain(text: str) -> str:
    """Without what only a terminal understands."""
    return _CONTROLS.sub("", _ESCAPES.sub("", text))


def split(message: str) -> tuple[str, str]:
    """What happened, and the quoted end of the log."""
    head, _, log = plain(message).strip().partition("\n")
    return head.removesuffix(_QUOTED_LOG).rstrip(), log.strip("\n")


def end_of(log: str, most: int = 12) -> str:
    """Its last lines: where a program says why it failed."""
    return "\n".join(log.splitlines()[-most:])


def waits_for(message: str) -> str:
    """Of a step that has no place: what it needs, before all else. Other messages are as they were."""
    counted = _NO_PLACE.match(message)
    if counted is None or not (rest := message[counted.end() :]):
        return message
    return _NEVER.sub(r"No node is large enough (\1). Ask for less, or add a node.", rest)


def line(message: str, most: int = _MOST_CHARACTERS) -> str:
    """What happened; of a step that failed, with the last line of its log, which names the exception."""
    head, log = split(message)
    head = waits_for(head)
    if log and plain(message).strip().partition("\n")[0].endswith(_QUOTED_LOG):
        last = next((each.strip() for each in reversed(log.splitlines()) if each.strip()), "")
        head = f"{head}: {last}" if last else head
    return head if len(head) <= most else head[: most - 1] + "…"
