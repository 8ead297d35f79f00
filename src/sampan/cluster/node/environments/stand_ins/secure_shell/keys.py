"""Which keys a pod may use: those that are mounted in it, and no other of the machine's."""

from __future__ import annotations

import hashlib
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_FILES = ("id_rsa", "id_ecdsa", "id_ed25519")
_MOST_BYTES = 1024 * 1024


def folders() -> list[str]:
    """Mounted ones that hold `authorized_keys`, and the pod's own home. What else the machine has is not the job's."""
    try:
        with open("/proc/self/mountinfo", errors="surrogateescape") as file:
            places = [line.split(" ")[4].replace("\\040", " ") for line in file]
    except OSError:
        places = []
    mounted = [each for each in places if os.path.isfile(os.path.join(each, "authorized_keys"))]
    return list(dict.fromkeys([*mounted, os.path.join(os.environ.get("HOME") or "/", ".ssh")]))


def secrets(named: Sequence[str] = ()) -> list[bytes]:
    """One of each private key that is readable and whose public half is authorized beside it; `named` files first.

    All pods of a job have the private key itself, so it is what they share.
    """
    found: list[bytes] = []
    paths = [os.path.expanduser(each) for each in named]
    for path in [*paths, *(os.path.join(folder, name) for folder in folders() for name in _FILES)]:
        try:
            private = _read(path).strip()
            public = _read(path + ".pub").split()[:2]
            authorized = _read(os.path.join(os.path.dirname(path), "authorized_keys")).splitlines()
        except OSError:
            continue
        if private and len(public) == 2 and any(public == line.split()[:2] for line in authorized):
            secret = hashlib.sha256(b"sampan-secure-shell\n" + private).digest()
            if secret not in found:
                found.append(secret)
    return found


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(_MOST_BYTES)
