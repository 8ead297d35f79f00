"""The certificates of the port that pods use: a private authority of the home, and the server's own.

Run as a program of its own by the first start, and by nothing else: the library that makes them is large, and no later
start needs it. The official clients inside a pod speak TLS only, and trust the authority in `ca.crt`.
"""

from __future__ import annotations

import asyncio
import ipaddress
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sampan.lib.files import replace_bytes

_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
_ADDRESSES = ("127.0.0.1", "::1")
_LIFETIME = timedelta(days=3650)
_CLOCK_SKEW = timedelta(hours=1)


class CertificateError(Exception):
    """They cannot be made. The message says why."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """Where they are. `folder` is made when it is missing, for its owner only."""

    folder: Path

    @property
    def authority(self) -> Path:
        return self.folder / "ca.crt"

    @property
    def server(self) -> Path:
        return self.folder / "apiserver.crt"

    @property
    def server_key(self) -> Path:
        return self.folder / "apiserver.key"

    async def ensure(self) -> str:
        """Makes what is missing; the authority's certificate as PEM text. Raises CertificateError."""
        if not all(file.exists() for file in (self.authority, self.server, self.server_key)):
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-I", __file__, str(self.folder)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
            _, said = await process.communicate()
            if process.returncode:
                last = said.decode(errors="replace").strip().rpartition("\n")[2]
                raise CertificateError(f"the certificates in {self.folder} cannot be made: {last}")
        return self.authority.read_text("utf-8")


def make(folder: Path) -> None:
    """All of them anew. Raises OSError."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sampan-ca")])
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sampan-apiserver")])
    authority = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority)

    def builder(subject: Any, public: Any) -> Any:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _CLOCK_SKEW)
            .not_valid_after(now + _LIFETIME)
            .add_extension(issuer, critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        )

    ca = (
        builder(ca_name, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(x509, signs_certificates=True), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    names = [
        *(x509.DNSName(each) for each in _NAMES),
        *(x509.IPAddress(ipaddress.ip_address(each)) for each in _ADDRESSES),
    ]
    server = (
        builder(name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(x509, signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    # The authority's own key is thrown away: nothing else is ever signed with it.
    replace_bytes(
        folder / "apiserver.key", key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain), 0o600
    )
    replace_bytes(folder / "apiserver.crt", server.public_bytes(pem), 0o600)
    replace_bytes(folder / "ca.crt", ca.public_bytes(pem), 0o600)


def _usage(x509: Any, *, signs_certificates: bool) -> Any:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


if __name__ == "__main__":
    make(Path(sys.argv[1]))
