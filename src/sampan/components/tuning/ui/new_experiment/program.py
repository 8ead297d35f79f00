"""A Python script as the object that each trial runs, and back. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sampan.components.tuning.ui.new_experiment.wanted import IMAGE, SCRIPT, Program
from sampan.components.tuning.ui.template_text import place, places
from sampan.kube.meta import Object

_GPU = "nvidia.com/gpu"
_PYTHON = ("python", "-c")


def job(program: Program, names: Iterable[str], container: str) -> Object:
    """A Job that runs the script once. `names` are those of the template."""
    arguments = shlex.split(program.arguments) or [f"--{name}={place(name)}" for name in names]
    made: Object = {
        "name": container,
        "image": program.image or IMAGE,
        "command": [*_PYTHON, program.script, *arguments],
    }
    amounts = {"cpu": program.cpu, "memory": program.memory, _GPU: program.gpu}
    asked = {name: amount for name, amount in amounts.items() if amount and amount != "0"}
    if asked:
        made["resources"] = {"requests": asked, "limits": dict(asked)}
    pods = {"containers": [made], "restartPolicy": "Never"}
    return {"apiVersion": "batch/v1", "kind": "Job", "spec": {"backoffLimit": 0, "template": {"spec": pods}}}


def read(run: Mapping[str, Any], names: Sequence[str], container: str) -> Program | None:
    """The script whose Job this is; None where it was not made here."""
    try:
        (found,) = run["spec"]["template"]["spec"]["containers"]
        words = [str(each) for each in found["command"]]
        asked: Mapping[str, Any] = (found.get("resources") or {}).get("requests") or {}
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    if tuple(words[:2]) != _PYTHON or len(words) < 3:
        return None
    usual = [f"--{name}={place(name)}" for name in names]
    made = Program(
        source=SCRIPT,
        script=words[2],
        arguments="" if words[3:] == usual else joined(words[3:]),
        image=str(found.get("image") or ""),
        cpu=str(asked.get("cpu") or ""),
        memory=str(asked.get("memory") or ""),
        gpu=str(asked.get(_GPU) or ""),
    )
    return made if job(made, names, container) == run else None


def joined(words: Sequence[str]) -> str:
    """As in a shell, with places left readable."""
    return " ".join(f'"{each}"' if _is_plain_place(each) else shlex.quote(each) for each in words)


def _is_plain_place(word: str) -> bool:
    """Quoted doubly, as the place alone could not stand in a shell."""
    return bool(places(word)) and not re.search(r'["\\`\n]', word)


def arguments_problem(text: str) -> str:
    try:
        shlex.split(text)
    except ValueError:
        return "A quotation mark is not closed"
    return ""
