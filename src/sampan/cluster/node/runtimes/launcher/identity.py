"""The name by which a container knows its machine: the pod's. Runs in the forked child."""

from __future__ import annotations

import contextlib
import os

from .libc import CLONE_NEWUTS, set_hostname, unshare

# The kernel's own limit; a pod's name may be longer, and then only its first part is the hostname.
MAX_HOSTNAME_BYTES = 64


def take(hostname: str) -> None:
    """Where it is not allowed the machine's name stays: HOSTNAME and /etc/hosts still say the pod's."""
    with contextlib.suppress(OSError):
        unshare(CLONE_NEWUTS)
        set_hostname(os.fsdecode(os.fsencode(hostname)[:MAX_HOSTNAME_BYTES]))
