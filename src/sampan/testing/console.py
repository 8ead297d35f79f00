"""Sessions at a terminal, written down as text, played again and compared: commands after `$`, then what they print.

    # A comment.
    $ kubectl create namespace team
    namespace/team created
    @ since 1.27, eventually
    $ kubectl get pod p -o name <<EOF
    > the command's next line
    > EOF
    pod/p
    [1]

`[1]` is the exit code, where it is not 0. Of several blanks in a line one counts, so that tables of any width are
compared. In what is expected `...` stands for any text, alone in a line for any lines, and `<age>`, `<time>`, `<ip>`,
`<id>` and `<number>` for what they say; `$NAME` is a variable of the session. A line that begins with `@` is about the
command below it: which versions of the client run it (`since`, `until`: the last one), and that it is repeated until it
prints what it should (`eventually`).

Tests of command-line clients call this; what a command means it does not know.
"""

from __future__ import annotations

import difflib
import re
import string
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TOKENS = {
    "...": r".*",
    "<age>": r"(?:\d+[dhms]\d*[hms]?|<invalid>|<unknown>)",
    "<time>": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)",
    "<ip>": r"\d+\.\d+\.\d+\.\d+",
    "<id>": r"[a-z0-9-]+",
    "<number>": r"\d+",
}
TOKEN = re.compile("|".join(map(re.escape, TOKENS)))
EXIT = re.compile(r"\[(\d+)\]")
SECONDS_OF_A_COMMAND = 90
SECONDS_UNTIL_EVENTUALLY = 40


class ScriptError(Exception):
    """A session that cannot be read."""


@dataclass
class Step:
    """A command and what it should print."""

    line: int
    command: str
    expected: list[str] = field(default_factory=list)
    code: int = 0
    since: tuple[int, ...] = ()
    until: tuple[int, ...] = ()
    eventually: bool = False

    def runs_with(self, version: tuple[int, ...]) -> bool:
        return self.since <= version and (not self.until or version[: len(self.until)] <= self.until)


def steps_of(text: str) -> Iterator[Step]:
    """The session's steps. Raises ScriptError."""
    step: Step | None = None
    told: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("$ "):
            if step:
                yield step
            step = Step(number, line[2:], **conditions(told, number))
            told = {}
        elif line.startswith("@ "):
            told.update((word.strip().partition(" ")[::2]) for word in line[2:].split(","))
        elif line.startswith("#") or told:
            if told and not line.startswith("#"):
                raise ScriptError(f"line {number}: a command should follow")
        elif step is None:
            if line:
                raise ScriptError(f"line {number}: output without a command")
        elif line.startswith(">") and not step.expected:
            step.command += "\n" + line[2:]
        elif found := EXIT.fullmatch(line):
            step.code = int(found[1])
        elif line:
            step.expected.append(line)
    if step:
        yield step


def conditions(told: Mapping[str, str], number: int) -> dict[str, Any]:
    unknown = set(told) - {"since", "until", "eventually"}
    if unknown:
        raise ScriptError(f"line {number}: {', '.join(unknown)}: no such condition")
    versions = {name: version_of(told[name]) for name in ("since", "until") if name in told}
    return {**versions, "eventually": "eventually" in told}


def version_of(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def tidy(line: str) -> str:
    return " ".join(line.split())


def pattern_of(line: str) -> str:
    """The expression that a line must match whole."""
    parts, end = [], 0
    for found in TOKEN.finditer(line):
        parts += [re.escape(line[end : found.start()]), TOKENS[found[0]]]
        end = found.end()
    return "".join([*parts, re.escape(line[end:])])


def matches(expected: list[str], printed: list[str]) -> bool:
    whole = "".join(
        r"(?:.*\n)*?" if line.strip() == "..." else pattern_of(tidy(line)) + r"\n" for line in expected
    )
    return re.fullmatch(whole, "".join(f"{tidy(line)}\n" for line in printed)) is not None


@dataclass
class Session:
    """Plays steps with a shell, in a folder, with variables that the texts may name."""

    folder: Path
    environ: Mapping[str, str]
    version: tuple[int, ...]

    def play(self, text: str) -> list[str]:
        """What went otherwise than written, each with its line."""
        steps = [step for step in steps_of(text) if step.runs_with(self.version)]
        return [complaint for step in steps for complaint in self.complaints(step)]

    def complaints(self, step: Step) -> Iterator[str]:
        expected = [string.Template(line).safe_substitute(self.environ) for line in step.expected]
        deadline = time.monotonic() + SECONDS_UNTIL_EVENTUALLY
        while True:
            code, printed = self.run(step.command)
            if code == step.code and matches(expected, printed):
                return
            if not step.eventually or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        difference = difflib.unified_diff(expected, printed, "expected", "printed", lineterm="", n=1)
        exits = "" if code == step.code else f"exit code {code}, expected {step.code}\n"
        yield f"line {step.line}: $ {step.command}\n{exits}" + "\n".join(difference)

    def run(self, command: str) -> tuple[int, list[str]]:
        """The exit code and all that was printed, without empty lines."""
        try:
            done = subprocess.run(
                ["sh", "-c", command],
                cwd=self.folder,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=SECONDS_OF_A_COMMAND,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            return -1, [*(late.output or b"").decode(errors="replace").splitlines(), "it did not end"]
        printed = done.stdout.decode(errors="replace").splitlines()
        return done.returncode, [line for line in printed if line.strip()]
