"""Input artifacts from git: a container that clones before the program runs. Pure.

Source: workflow/artifacts/git, argo-workflows v3.7. Keys of SSH are not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sampan.components.pipelines.api.argo.errors import ArgoError

_IMAGE = "alpine/git:2.45.2"
_CLONE = """\
set -e
repo=$1 target=$2 revision=$3 depth=$4 branch=$5; shift 5
if [ -n "$GIT_USERNAME" ]; then
  say='case "$1" in User*) echo "$GIT_USERNAME" ;; *) echo "$GIT_PASSWORD" ;; esac'
  printf '%s\\n' '#!/bin/sh' "$say" > /tmp/askpass
  chmod 700 /tmp/askpass; export GIT_ASKPASS=/tmp/askpass
fi
export GIT_TERMINAL_PROMPT=0
mkdir -p "$target"
git clone ${depth:+--depth "$depth"} ${branch:+--single-branch --branch "$branch"} "$@" -- "$repo" "$target"
[ -z "$revision" ] || git -C "$target" checkout --force "$revision"
"""


def git_clone(number: int, place: str, repository: Mapping[str, Any]) -> dict[str, Any]:
    """The container that brings the repository to `place`. Raises ArgoError."""
    if repository.get("sshPrivateKeySecret"):
        raise ArgoError(
            "git.sshPrivateKeySecret is not supported; use https with usernameSecret and passwordSecret"
        )
    revision = str(repository.get("revision") or "")
    if revision.startswith("-"):
        raise ArgoError(f"git.revision {revision!r} is none")
    options = [] if repository.get("disableSubmodules") else ["--recurse-submodules"]
    branch = str(repository.get("branch") or "") if repository.get("singleBranch") else ""
    env = [
        {"name": name, "valueFrom": {"secretKeyRef": dict(repository[key])}}
        for name, key in (("GIT_USERNAME", "usernameSecret"), ("GIT_PASSWORD", "passwordSecret"))
        if repository.get(key)
    ]
    arguments = [str(repository.get("repo", "")), place, revision, str(repository.get("depth") or ""), branch]
    return {
        "name": f"sampan-git-{number}",
        "image": _IMAGE,
        "command": ["sh", "-c", _CLONE, "git-clone"],
        "args": [*arguments, *options],
        "env": env,
    }
