"""A step's pod for a cluster whose nodes do not see this machine's folders: what moves its files, added to it. Pure.

The user's container stays as it is, whatever its image and command. Around it come an empty volume for each folder that
it would have seen, an init container that fills them and a container that brings back what the step leaves; both run
`mover_program`. Decision 13 says why it is done so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FETCH_CONTAINER = "sampan-fetch"
PUBLISH_CONTAINER = "sampan-publish"
PLAN_ANNOTATION = "sampan.dev/step-files"
AUDIENCE = "sampan.dev/step-files"
"""Of the movers' tokens: they are good for nothing else, and no other token is good for us."""

_TOKEN_VOLUME = "sampan-token"  # noqa: S105  a name
_TOKEN_FOLDER = "/var/run/secrets/sampan.dev"  # noqa: S105  a path
_TOKEN_SECONDS = 3600
"""The kubelet renews the file long before; a copy that got away is soon worth nothing."""
_RESOURCES = {
    "requests": {"cpu": "10m", "memory": "32Mi"},
    "limits": {"cpu": "1", "memory": "256Mi"},
}

# The program is too long to be repeated in every pod: it is downloaded, and run only if it is the one meant.
_BOOT = """\
import hashlib, os, sys, time, urllib.request
environ = os.environ
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
if environ.get("SAMPAN_CA"):
    import ssl
    context = ssl.create_default_context(cadata=environ["SAMPAN_CA"])
    opener.add_handler(urllib.request.HTTPSHandler(context=context))
url = environ["SAMPAN_URL"] + "/program/" + environ["SAMPAN_PROGRAM"]
deadline = time.monotonic() + float(environ["SAMPAN_PATIENCE"])
while True:
    try:
        token = open(environ["SAMPAN_TOKEN_FILE"]).read().strip()
        request = urllib.request.Request(url, headers={"Authorization": "Bearer " + token})
        program = opener.open(request, timeout=60).read()
        break
    except OSError as error:
        if time.monotonic() > deadline:
            sys.exit("%s: %s" % (url, error))
        print("%s: %s; trying again" % (url, error), file=sys.stderr, flush=True)
        time.sleep(2)
if hashlib.sha256(program).hexdigest() != environ["SAMPAN_PROGRAM"]:
    sys.exit("%s is not the program that the pod was made for" % url)
exec(compile(program, "mover_program.py", "exec"))
"""


@dataclass(frozen=True, slots=True)
class Mover:
    """What runs in the added containers."""

    url: str
    """Where pods reach the platform's transfers."""
    image: str
    """Any image with Python 3.8 or newer as `python3`."""
    program: bytes
    authority: str = ""
    """PEM of what signed the certificate at `url`, where it is https and the system's do not do."""
    patience_seconds: int = 3600

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.program).hexdigest()


def add_mover(pod: dict[str, Any], folders: Sequence[str], mover: Mover) -> None:
    """`folders` are where the step's files lie, none within another."""
    spec = pod["spec"]
    main = spec["containers"][0]
    volumes, mounts = _volumes(folders)
    spec.setdefault("volumes", []).extend(volumes)
    for container in spec["containers"]:
        container.setdefault("volumeMounts", []).extend(dict(mount) for mount in mounts)
    security = main.get("securityContext")
    own = _volume_token()
    spec["volumes"].append(own)
    mounts.append({"name": _TOKEN_VOLUME, "mountPath": _TOKEN_FOLDER, "readOnly": True})
    fetch = _container(FETCH_CONTAINER, "fetch", mover, mounts, security)
    spec["initContainers"] = [fetch, *spec.get("initContainers", ())]
    spec["containers"].append(_container(PUBLISH_CONTAINER, "publish", mover, mounts, security))


def _volumes(folders: Sequence[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    names = [f"sampan-files-{index}" for index in range(len(folders))]
    volumes: list[dict[str, Any]] = [{"name": name, "emptyDir": {}} for name in names]
    mounts: list[dict[str, Any]] = [
        {"name": name, "mountPath": folder} for name, folder in zip(names, folders, strict=True)
    ]
    return volumes, mounts


def _volume_token() -> dict[str, Any]:
    token = {"audience": AUDIENCE, "expirationSeconds": _TOKEN_SECONDS, "path": "token"}
    return {"name": _TOKEN_VOLUME, "projected": {"sources": [{"serviceAccountToken": token}]}}


def _container(
    name: str, phase: str, mover: Mover, mounts: Sequence[Mapping[str, Any]], security: Any
) -> dict[str, Any]:
    environ = {
        "SAMPAN_URL": mover.url,
        "SAMPAN_PROGRAM": mover.digest,
        "SAMPAN_TOKEN_FILE": f"{_TOKEN_FOLDER}/token",
        "SAMPAN_PATIENCE": str(mover.patience_seconds),
        **({"SAMPAN_CA": mover.authority} if mover.authority else {}),
    }
    container: dict[str, Any] = {
        "name": name,
        "image": mover.image,
        # Isolated: what the image sets for Python is meant for other programs.
        "command": ["python3", "-I", "-c", _BOOT, phase],
        "env": [{"name": key, "value": value} for key, value in environ.items()],
        "resources": _RESOURCES,
        "volumeMounts": [dict(mount) for mount in mounts],
    }
    if security:
        # As the step: it must read what the step wrote, and a cluster may insist on it.
        container["securityContext"] = security
    return container
