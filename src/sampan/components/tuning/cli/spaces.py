"""`--param` as a space: `lr=log:1e-5..1e-1`, `layers=1..8`, `width=32,64,128`. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from sampan.components.tuning.sdk import search
from sampan.components.tuning.sdk.plan import TuneError
from sampan.components.tuning.sdk.search import Space, SpaceError

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})(?:/({_NUMBER}))?\Z")
_WHOLE = re.compile(r"[+-]?\d+\Z")
_NAME = re.compile(r"[A-Za-z_][\w-]*\Z")
_HOW = (
    "write it as NAME=LOW..HIGH, NAME=log:LOW..HIGH, NAME=LOW..HIGH/STEP, NAME=normal:MEAN,SIGMA or NAME=A,B,C; "
    "the words are uniform, log, int, normal, lognormal, choice, discrete"
)


def read_params(given: Sequence[str]) -> dict[str, Space]:
    """Raises TuneError."""
    found: dict[str, Space] = {}
    for text in given:
        name, equals, what = text.partition("=")
        if not equals or not _NAME.match(name) or not what:
            raise TuneError(f"--param {text!r}: {_HOW}")
        if name in found:
            raise TuneError(f"--param {name}: it is there twice")
        try:
            found[name] = _space(what)
        except SpaceError as error:
            raise TuneError(f"--param {text!r}: {error}") from error
        except ValueError:
            raise TuneError(f"--param {text!r}: {_HOW}") from None
    if not found:
        raise TuneError(
            "name what is to be tuned, before the script, for what stands after it is its own: "
            "sampan tune run --param lr=log:1e-5..1e-1 train.py"
        )
    return found


def _space(text: str) -> Space:
    """Raises SpaceError, ValueError."""
    word, colon, rest = text.partition(":")
    if colon and (make := _WORDS.get(word)) is not None:
        return make(rest)
    return _range(text) if _RANGE.match(text) else _choice(text)


def _range(text: str, *, log: bool = False, whole: bool = False) -> Space:
    match = _RANGE.match(text)
    if match is None:
        raise ValueError(text)
    low, high, step = match.groups()
    texts = [each for each in (low, high, step) if each is not None]
    if all(_WHOLE.match(each) for each in texts) and (whole or not log):
        return search.int(int(low), int(high), int(step) if step else None, log=log)
    if whole:
        raise SpaceError("int: its bounds and its step must be whole numbers")
    make = search.loguniform if log else search.uniform
    return make(float(low), float(high), step=float(step) if step else None)


def _whole(text: str) -> Space:
    word, colon, rest = text.partition(":")
    return _range(rest, log=True, whole=True) if colon and word == "log" else _range(text, whole=True)


def _uniform(text: str) -> Space:
    match = _RANGE.match(text)
    if match is None:
        raise ValueError(text)
    low, high, step = match.groups()
    return search.uniform(float(low), float(high), step=float(step) if step else None)


def _pair(make: Callable[[float, float], Space]) -> Callable[[str], Space]:
    def read(text: str) -> Space:
        first, second = text.split(",")
        return make(float(first), float(second))

    return read


def _choice(text: str) -> Space:
    values = [each.strip() for each in text.split(",")]
    if not all(values):
        raise ValueError(text)
    return search.choice(values)


def _discrete(text: str) -> Space:
    return search.discrete(
        [int(each) if _WHOLE.match(each.strip()) else float(each) for each in text.split(",")]
    )


_WORDS: dict[str, Callable[[str], Space]] = {
    "uniform": _uniform,
    "log": lambda text: _range(text, log=True),
    "int": _whole,
    "normal": _pair(search.normal),
    "lognormal": _pair(search.lognormal),
    "choice": _choice,
    "discrete": _discrete,
}
