"""The key pair by which ssh lets the launcher into its workers.

Source: kubeflow/mpi-operator v0.8 newSSHAuthSecret of pkg/controller/mpi_job_controller.go; kubeflow/trainer v2.3.0
pkg/runtime/framework/plugins/mpi/mpi.go makes the same.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

PRIVATE_KEY, PUBLIC_KEY = "ssh-privatekey", "ssh-publickey"
SECRET_TYPE = "kubernetes.io/ssh-auth"  # noqa: S105  (a type of Secrets)
FILES = {"id_rsa": PRIVATE_KEY, "id_rsa.pub": PUBLIC_KEY, "authorized_keys": PUBLIC_KEY}
"""As ssh looks for them, whatever kind of key it is."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    private: bytes
    """PEM."""
    public: bytes
    """A line of authorized_keys."""

    def data(self) -> dict[str, str]:
        """Of a Secret."""
        pair = ((PRIVATE_KEY, self.private), (PUBLIC_KEY, self.public))
        return {name: base64.b64encode(value).decode() for name, value in pair}


def make_key_pair() -> KeyPair:
    """ECDSA over P-521, which takes some milliseconds."""
    # Not before there is such a job: 9 MiB of an idle server.
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  the import budget
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415  the import budget

    key = ec.generate_private_key(ec.SECP521R1())
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return KeyPair(private, public + b"\n")
