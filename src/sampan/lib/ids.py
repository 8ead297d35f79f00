"""Names and identifiers."""

from __future__ import annotations

import hashlib
import os
import uuid

# Kubernetes' alphabet for generated names: no vowels, so that no words appear, and no 0/1/3 that read as letters.
# Source: k8s.io/apimachinery/pkg/util/rand/rand.go, v1.31.
_SAFE_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def new_uid() -> str:
    """A random UUID in its canonical text form."""
    return str(uuid.uuid4())


def random_suffix(length: int = 5) -> str:
    """A suffix as `metadata.generateName` appends it. Not for secrets."""
    return _in_alphabet(os.urandom(length))


def short_hash(*parts: str, length: int = 8) -> str:
    """A stable hash of `parts` that is valid in a DNS label. Not for secrets."""
    return _in_alphabet(hashlib.sha256("\0".join(parts).encode()).digest()[:length])


def _in_alphabet(data: bytes) -> str:
    return "".join(_SAFE_ALPHABET[byte % len(_SAFE_ALPHABET)] for byte in data)
