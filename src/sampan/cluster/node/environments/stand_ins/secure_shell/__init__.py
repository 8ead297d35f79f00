"""`ssh` and `sshd` of images whose jobs start programs in each other's pods, such as MPI's.

It is not the protocol of OpenSSH, and both ends must be this program. What it keeps of OpenSSH is what jobs rely on:
the options, the configuration of `mpioperator/base`, the command line
for the user's shell, streams, exit codes, retries.

    keys     which keys a pod may use
    wire     how both ends prove themselves, and the frames
    client   ssh
    server   sshd: who may connect, and when
    session  sshd: one command

Source: kubeflow/mpi-operator 0.8 build/base/Dockerfile and sshd_config (port, place of the key); the options are those
of OpenSSH 9's ssh(1) and sshd(8).
"""

from __future__ import annotations

import os
import sys
from importlib import import_module


def main() -> int:
    """By the name under which it is called; only what that needs is loaded."""
    is_server = os.path.basename(sys.argv[0]).startswith("sshd")
    module = import_module(f"{__name__}.{'server' if is_server else 'client'}")
    try:
        return int((module.sshd if is_server else module.ssh)(sys.argv[1:]))
    except KeyboardInterrupt:
        return 130
