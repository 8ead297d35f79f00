"""What one step's mover may read and write: written into its pod by the engine, read back from there by the transfers.

The plan is signed, so that who may create pods may still not read the artifacts of others. Pure, but for the key.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from sampan.lib.ids import short_hash


@dataclass(frozen=True, slots=True)
class TransferPlan:
    pod: str
    """Its namespace and name, as `namespace/name`."""
    folders: tuple[str, ...]
    """What the step may write below."""
    inputs: tuple[str, ...]
    """URIs of its input artifacts."""


class PlanError(Exception):
    """The text is no plan of ours for this pod."""


def signed(plan: TransferPlan, key: bytes) -> str:
    text = json.dumps([plan.pod, plan.folders, plan.inputs], ensure_ascii=False, separators=(",", ":"))
    return f"{_signature(text, key)}:{text}"


def verified(annotation: str, pod: str, key: bytes) -> TransferPlan:
    """Raises PlanError."""
    signature, _, text = annotation.partition(":")
    if not hmac.compare_digest(signature.encode(), _signature(text, key).encode()):
        raise PlanError("the pod's plan was not made by this platform")
    owner, folders, inputs = json.loads(text)
    if owner != pod:
        raise PlanError("the plan is another pod's")
    return TransferPlan(owner, tuple(folders), tuple(inputs))


def load_key(file: Path) -> bytes:
    """The key of this home, made once. Raises OSError."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return file.read_bytes()
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(key := secrets.token_bytes(32))
    return key


def owner_of(key: bytes) -> str:
    """A name for the home that has the key, good for a label; tells nothing of the key."""
    return short_hash("owner", key.hex(), length=16)


def _signature(text: str, key: bytes) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
