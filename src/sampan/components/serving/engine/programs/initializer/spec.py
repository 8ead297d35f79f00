"""`STORAGE_CONFIG`: an entry of the Secret of stores, as the variables that the sources read.

Source: kserve/kserve v0.20.0 python/storage/kserve_storage/kserve_storage.py (_update_with_storage_spec).
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sampan.components.serving.engine.programs.initializer import hdfs
from sampan.components.serving.engine.programs.initializer.errors import StorageError

_S3 = {
    "AWS_ENDPOINT_URL": "endpoint_url",
    "AWS_ACCESS_KEY_ID": "access_key_id",
    "AWS_SECRET_ACCESS_KEY": "secret_access_key",
    "AWS_DEFAULT_REGION": "region",
    "AWS_CA_BUNDLE": "ca_bundle",
    "S3_VERIFY_SSL": "verify_ssl",
    "awsAnonymousCredential": "anonymous",
}


def with_config(environ: Mapping[str, str]) -> dict[str, str]:
    """Raises StorageError for what is no JSON object, without showing it."""
    told = {**_object(environ, "STORAGE_CONFIG"), **_object(environ, "STORAGE_OVERRIDE_CONFIG")}
    found = dict(environ)
    kind = str(told.get("type", ""))
    if kind == "s3":
        found |= {name: str(told[key]) for name, key in _S3.items() if key in told}
    elif kind in ("hdfs", "webhdfs"):
        folder = Path(tempfile.mkdtemp(prefix="hdfs-"))
        hdfs.write_secret({name: str(text) for name, text in told.items()}, folder)
        found["HDFS_SECRET_DIR"] = str(folder)
    return found


def _object(environ: Mapping[str, str], name: str) -> dict[str, Any]:
    try:
        found = json.loads(environ.get(name) or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise StorageError(f"{name} is no JSON object: see the entry of the Secret of stores")
    return found
