"""Quotation marks that were written for a shell which is not there. Called by the hook of trials' pods. Pure.

Upstream runs the container that trains as `sh -c "COMMAND ARGS …"` where its collector reads what is printed or written
(kubeflow/katib 0.19 pkg/webhook/v1beta1/pod/utils.go, wrapWorkerContainer), so that templates quote for a shell, as
upstream's own of architecture searches do: `--architecture="${trialParameters.…}"`. Commands are not rewritten here;
but where the whole of a value stands between quotation marks, they are taken away, as the shell would. All other words
stay as they are, also those that a shell would have taken apart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sampan.components.tuning.engine.collecting.wanted import FILE, STDOUT, TF_EVENT, Wanted
from sampan.kube import meta
from sampan.kube.meta import Object

WRAPPED = (STDOUT, FILE, TF_EVENT)
"""Collectors for which upstream has the shell."""
_OPTION = r"(?:-{1,2}[A-Za-z0-9][\w.-]*=)?"
_QUOTED = re.compile(rf"""({_OPTION})(?:"([^"\\$`]*)"|'([^']*)')""", re.DOTALL)
_SHELLS = ("sh", "bash")


def unquote(pod: Object, wanted: Wanted) -> None:
    """The container of the pod that trains, where upstream would have the shell."""
    name = wanted.container_of(pod)
    for each in meta.spec(pod).get("containers") or ():
        if isinstance(each, dict) and each.get("name") == name and wanted.kind in WRAPPED:
            take_away(each)


def take_away(container: dict[str, Any]) -> None:
    """From the command and arguments of a container, which is changed."""
    command = _words(container.get("command"))
    if command is not None and len(command) > 1 and command[0] in _SHELLS and command[1] == "-c":
        # A script: its quotation marks are read.
        return
    for key in ("command", "args"):
        words = _words(container.get(key))
        if words is not None:
            container[key] = [_bare(word) for word in words]


def _bare(word: str) -> str:
    found = _QUOTED.fullmatch(word)
    if found is None:
        return word
    option, double, single = found.groups()
    return f"{option}{single if double is None else double}"


def _words(found: Any) -> Sequence[str] | None:
    """None unless it is a list of texts."""
    return found if isinstance(found, list) and all(isinstance(each, str) for each in found) else None
