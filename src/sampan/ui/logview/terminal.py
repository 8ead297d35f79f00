"""What a terminal would show of a line: colours as styles, overwritten text gone, all other control codes gone. Pure.

Called by `book`. Nothing that a program prints is ever more than text and one of the styles made here: sequences that
set titles, open links, copy or move the cursor elsewhere are dropped (ECMA-48, xterm's ctlseqs).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

_MOST_REWRITES = 200
"""Of a line that was written over, the last so many: what a progress bar shows is in the last one."""

_CODE = re.compile(
    r"\x1b\[([0-?]*)[ -/]*([@-~])"  # CSI: the colours among them end with m
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC: titles, links, the clipboard
    r"|\x1b[PX^_][^\x1b]*\x1b\\"  # DCS, SOS, PM, APC
    r"|\x1b[ -/]*[0-Z\\^-~]"
    r"|\x1b"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""They make text look like other text."""
_PALETTE_STEPS = (0, 95, 135, 175, 215, 255)


@dataclass(frozen=True, slots=True)
class Style:
    """How a stretch of text looks."""

    foreground: str = ""
    """`0` to `15` of the theme's palette, `#rrggbb`, or nothing for the usual."""
    background: str = ""
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: bool = False
    strike: bool = False
    inverse: bool = False

    def shown(self) -> str:
        """Letters for what is on, then the colours: `bu|1|#ff0000`. Empty for text that looks as usual."""
        names = "bdiusv"
        values = (self.bold, self.dim, self.italic, self.underline, self.strike, self.inverse)
        letters = "".join(name for name, is_on in zip(names, values, strict=True) if is_on)
        found = f"{letters}|{self.foreground}|{self.background}"
        return "" if found == "||" else found


PLAIN = Style()

Run = tuple[str, Style]
"""A text and how it looks."""


def runs(line: str, style: Style = PLAIN) -> tuple[list[Run], Style]:
    """A settled line, and the style that the next line begins with."""
    found: list[Run] = []
    at = 0
    for code in _CODE.finditer(line):
        if code.start() > at:
            found.append((line[at : code.start()], style))
        at = code.end()
        if code.group(2) == "m":
            style = _after(style, code.group(1))
    if at < len(line):
        found.append((line[at:], style))
    return [(_BIDI.sub(_named, text), each) for text, each in _joined(found)], style


def plain(line: str) -> str:
    """The text alone, as `runs` has it."""
    return _BIDI.sub(_named, _CODE.sub("", line))


def style_after(line: str, style: Style) -> Style:
    """What `runs` says of the next line, without the text."""
    for code in _CODE.finditer(line):
        if code.group(2) == "m":
            style = _after(style, code.group(1))
    return style


def settled(line: str) -> str:
    """A line whose carriage returns have been obeyed: what is written over is gone, its colours with it."""
    line = line.removesuffix("\r")
    if "\r" not in line:
        return line
    cells: list[str] = []
    for part in line.split("\r")[-_MOST_REWRITES:]:
        cells = _written_over(cells, part)
    return "".join(cells).rstrip(" ")


def marked(found: Iterable[Run], spans: Sequence[tuple[int, int]]) -> list[tuple[str, Style, bool]]:
    """Runs cut at the edges of `spans` (of the plain text), and whether each lies in one."""
    cut: list[tuple[str, Style, bool]] = []
    offset = 0
    for text, style in found:
        at, end = offset, offset + len(text)
        for start, stop in spans:
            start, stop = max(start, at), min(stop, end)
            if start >= stop:
                continue
            if start > at:
                cut.append((text[at - offset : start - offset], style, False))
            cut.append((text[start - offset : stop - offset], style, True))
            at = stop
        if at < end:
            cut.append((text[at - offset :], style, False))
        offset = end
    return cut


def _written_over(cells: list[str], part: str) -> list[str]:
    """A cell is a character with the codes before it."""
    fresh: list[str] = []
    codes, at = "", 0
    for code in _CODE.finditer(part):
        fresh += _cells(codes, part[at : code.start()])
        if code.start() > at:
            codes = ""
        at = code.end()
        if code.group(2) == "K" and code.group(1) in ("", "0"):
            cells = cells[: len(fresh)]
        elif code.group(2) == "K":
            cells, fresh = [], [" "] * len(fresh)
        else:
            codes += code.group()
    fresh += _cells(codes, part[at:])
    if at < len(part):
        codes = ""
    rest = cells[len(fresh) :]
    if codes:
        # Behind the last character: for what comes after this line.
        rest = [codes + rest[0], *rest[1:]] if rest else [codes]
    return fresh + rest


def _cells(codes: str, text: str) -> list[str]:
    return [codes + text[0], *text[1:]] if text else []


def _joined(found: Iterable[Run]) -> list[Run]:
    joined: list[Run] = []
    for text, style in found:
        if joined and joined[-1][1] == style:
            joined[-1] = (joined[-1][0] + text, style)
        else:
            joined.append((text, style))
    return joined


def _named(found: re.Match[str]) -> str:
    return f"⟨U+{ord(found.group()):04X}⟩"


_SET: dict[int, dict[str, Any]] = {
    1: {"bold": True},
    2: {"dim": True},
    3: {"italic": True},
    4: {"underline": True},
    7: {"inverse": True},
    9: {"strike": True},
    21: {"underline": True},
    22: {"bold": False, "dim": False},
    23: {"italic": False},
    24: {"underline": False},
    27: {"inverse": False},
    29: {"strike": False},
}


def _after(style: Style, parameters: str) -> Style:
    """`parameters` of a CSI … m, as they stand."""
    if not re.fullmatch(r"[\d;:]{0,200}", parameters):
        return style
    # Colours with colons are one parameter: 38:2::R:G:B.
    codes = [_numbers(each) for each in parameters.split(";")]
    at = 0
    while at < len(codes):
        code, *more = codes[at]
        at += 1
        if code in (38, 48):
            if not more:
                color, used = _extended([each[0] for each in codes[at:]])
                at += used
            else:
                # The space between 2 and R names a colour space.
                color, _ = _extended([more[0], *more[2:]] if more[0] == 2 and len(more) > 4 else more)
            if color:
                style = replace(style, foreground=color) if code == 38 else replace(style, background=color)
        else:
            style = _simple(style, code)
    return style


def _simple(style: Style, code: int) -> Style:
    if code == 0:
        return PLAIN
    if code in _SET:
        return replace(style, **_SET[code])
    for first, offset, name in (
        (30, 0, "foreground"),
        (40, 0, "background"),
        (90, 8, "foreground"),
        (100, 8, "background"),
    ):
        if first <= code < first + 8:
            return replace(style, **cast(Any, {name: str(code - first + offset)}))
    if code == 39:
        return replace(style, foreground="")
    return replace(style, background="") if code == 49 else style


def _numbers(text: str) -> list[int]:
    return [int(each[:6]) if each else 0 for each in text.split(":")]


def _extended(values: Sequence[int]) -> tuple[str, int]:
    """The colour that follows a 38 or 48, and how many parameters it takes."""
    if len(values) >= 2 and values[0] == 5:
        return _indexed(values[1]), 2
    if len(values) >= 4 and values[0] == 2:
        red, green, blue = (min(each, 255) for each in values[1:4])
        return f"#{red:02x}{green:02x}{blue:02x}", 4
    return "", len(values)


def _indexed(index: int) -> str:
    if index < 16:
        return str(index)
    if index < 232:
        index -= 16
        parts = (_PALETTE_STEPS[index // 36], _PALETTE_STEPS[index // 6 % 6], _PALETTE_STEPS[index % 6])
        return "#{:02x}{:02x}{:02x}".format(*parts)
    level = 8 + 10 * (min(index, 255) - 232)
    return f"#{level:02x}{level:02x}{level:02x}"
