"""URIs of models: which are understood, and what some of them say.

Source: kserve/kserve v0.20.0 pkg/controller/v1beta1/inferenceservice/utils/utils.go (ValidateStorageURI),
pkg/utils/storage.go (ParsePvcURI, ParseOciScheme, FindCommonParentPath, GetVolumeNameFromPath).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence

from sampan.components.serving.engine.storage.errors import INVALID_URI, StorageError

PVC = "pvc://"
OCI = "oci://"
SCHEME_PLACEHOLDER = "<scheme-placeholder>"
"""Of a `storage.path`, until its Secret says what kind of store it is."""

PREFIXES = (
    *("gs://", "s3://", PVC, "file://", "https://", "http://"),
    *("hdfs://", "webhdfs://", OCI, "oci+native://", "hf://"),
)
_MORE_PREFIXES = ("oci+modelcar://", "oci+fetch://")
_AZURE_BLOB = re.compile(r"https://(.+?)\.blob\.core\.windows\.net/(.+)")
_AZURE_HOST = "blob.core.windows.net"
_OCI_MODE = re.compile(r"oci\+(?P<mode>[a-z]+)://(?P<rest>.*)", re.DOTALL)
_FILES = (
    *(".joblib", ".pkl", ".pickle", ".skops", ".cloudpickle"),
    *(
        ".bst",
        ".json",
        ".ubj",
        ".txt",
        ".onnx",
        ".pmml",
        ".pt",
        ".pth",
        ".pt2",
        ".mar",
        ".pdmodel",
        ".safetensors",
    ),
)
"""Endings of models that are one file."""
_NO_NAME = re.compile(r"[^a-z0-9-]+")
_LONGEST_NAME = 63


def check(uri: str, where: str = "storageUri") -> None:
    """Raises StorageError for one that no initializer of upstream's takes.

    Unlike upstream, one without a scheme is refused: no file of the initializer's image is ever meant (kserve#3873).
    """
    if uri.startswith(SCHEME_PLACEHOLDER):
        return
    known = uri.startswith((*PREFIXES, *_MORE_PREFIXES))
    if _AZURE_HOST in uri:
        known = _AZURE_BLOB.match(uri) is not None
    if not known:
        hint = "" if "://" in uri else f"; it names no scheme: for a file of this machine write file://{uri}"
        raise StorageError(
            INVALID_URI,
            f"{where}, must be one of: [{', '.join(PREFIXES)}] or match "
            f"https://{{}}.blob.core.windows.net/{{}}/{{}}. StorageUri [{uri}] is not supported{hint}",
        )


def claim(uri: str) -> tuple[str, str]:
    """The claim of a `pvc://NAME/PATH`, and the path in it. Raises StorageError."""
    name, _, path = uri.removeprefix(PVC).partition("/")
    if not name:
        raise StorageError(INVALID_URI, f"{uri}: write it as pvc://CLAIM/PATH")
    return name, path


def place(path: str, folder: str) -> str:
    """Where what is at a path of a claim is shown: in the folder, or as it.

    A file as the folder itself, as upstream has it, has lost its name, and with it what kind of model it is."""
    name = posixpath.basename(path)
    return posixpath.join(folder, name) if name.lower().endswith(_FILES) else folder


def is_in_tmp(uri: str) -> bool:
    """Whether it is a file of the machine's /tmp, which pods that are processes do not see."""
    path = posixpath.normpath(uri.removeprefix("file://").removeprefix("localhost"))
    return uri.startswith("file:///") and path.startswith("/tmp/")  # noqa: S108


def oci(uri: str) -> tuple[str, str] | None:
    """How a model's image is to be had (`native`, `modelcar`, `fetch`; empty for what the settings say) and its
    `oci://` URI; None for any other URI."""
    if (found := _OCI_MODE.fullmatch(uri)) is not None:
        return found["mode"], OCI + found["rest"]
    return ("", uri) if uri.startswith(OCI) else None


def common_folder(paths: Sequence[str]) -> str:
    """The folder that all of them lie in; the path itself if it is the only one."""
    if len(paths) == 1:
        return paths[0]
    parts = [path.strip("/").split("/") for path in paths]
    common: list[str] = []
    for steps in zip(*parts, strict=False):
        if len(set(steps)) > 1 or not steps[0]:
            break
        common.append(steps[0])
    return "/" + "/".join(common)


def volume_name(path: str) -> str:
    """Of the volume that is shown there. What no name may hold becomes a dash, which upstream leaves."""
    name = _NO_NAME.sub("-", path.strip("/").replace("/", "-").lower()).strip("-")
    return name[:_LONGEST_NAME].strip("-") or "model"
