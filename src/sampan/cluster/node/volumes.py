"""Volumes: made as folders of the pod, and the mounts by which its containers see them."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sampan.client.protocol import Object
from sampan.cluster.node import env
from sampan.cluster.node.layout import PodFolder
from sampan.cluster.node.references import ContainerConfigError, References
from sampan.cluster.node.runtimes.protocol import Mount
from sampan.cluster.node.tokens import key_of
from sampan.kube import meta
from sampan.lib.log import get_logger

log = get_logger(__name__)

_DEFAULT_MODE = 0o644
_DATA = "..data"
_API_ACCESS = "/var/run/secrets/kubernetes.io/serviceaccount"


class VolumeNotReadyError(Exception):
    """A volume cannot be set up now, but may be later: the pod waits, as it would on any node."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def prepare(
    pod: Object, folder: PodFolder, references: References, capacity: env.Capacity
) -> dict[str, Path]:
    """Makes what is missing; the place of each volume, by name. Writes files: not for the event loop.

    Raises ContainerConfigError, VolumeNotReadyError.
    """
    places: dict[str, Path] = {}
    for volume in meta.spec(pod).get("volumes") or ():
        name = volume["name"]
        try:
            places[name] = _place(pod, volume, folder.volume(name), references, capacity)
        except OSError as error:
            raise VolumeNotReadyError(f'MountVolume.SetUp failed for volume "{name}" : {error}') from error
        except VolumeNotReadyError as error:
            text = f'MountVolume.SetUp failed for volume "{name}" : {error.message}'
            raise VolumeNotReadyError(text) from error
    return places


def refresh(pod: Object, folder: PodFolder, references: References, capacity: env.Capacity) -> None:
    """Brings the files of volumes that consist of data up to what they are made from. Not for the event loop.

    What cannot be had any more stays as it was, as on any node.
    """
    for volume in meta.spec(pod).get("volumes") or ():
        own = folder.volume(volume["name"])
        if not own.exists():
            continue
        try:
            files = _files(pod, volume, references, capacity)
            if files is not None:
                write_files(own, files)
        except (ContainerConfigError, VolumeNotReadyError, OSError) as error:
            log.warning("volume not refreshed", pod=meta.name(pod), volume=volume["name"], why=str(error))


def mounts(
    container: Mapping[str, Any],
    places: Mapping[str, Path],
    *,
    can_mount: bool,
    sees_machine: bool = True,
    values: Mapping[str, str] | None = None,
) -> tuple[Mount, ...]:
    """The mounts that `container` needs. Where it sees the machine, a volume that is its own mount point needs none.

    `values` are its variables, for subPathExpr.

    Raises ContainerConfigError, which says what to change where this machine allows no mounts.
    """
    found: list[Mount] = []
    for entry in container.get("volumeMounts") or ():
        source, target = places.get(entry["name"]), str(entry["mountPath"])
        if source is None:
            raise ContainerConfigError(
                f"volumeMounts name the volume {entry['name']!r}, which the pod has not"
            )
        source = _with_sub_path(source, _sub_path(entry, values or {}))
        if sees_machine and os.path.normpath(target) == str(source) and not entry.get("readOnly"):
            continue
        if not can_mount and target == _API_ACCESS:
            # Every pod is given this one. Where it cannot be shown, a program finds no account, and says so itself.
            continue
        if not can_mount:
            raise ContainerConfigError(
                f"volume {entry['name']!r} cannot be shown at {target}: this machine allows no mount namespace. "
                "Allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, or "
                "kernel.apparmor_restrict_unprivileged_userns=0), run Sampan as root, use the container "
                "runtime, or use a hostPath volume whose mountPath is its path"
            )
        found.append(Mount(source, target, bool(entry.get("readOnly"))))
    return tuple(found)


def _place(
    pod: Object, volume: Mapping[str, Any], own: Path, references: References, capacity: env.Capacity
) -> Path:
    if (host_path := volume.get("hostPath")) is not None:
        return _host_path(host_path)
    if "persistentVolumeClaim" in volume or "ephemeral" in volume:
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        return _claimed(str(claim or f"{meta.name(pod)}-{volume['name']}"), references)
    files = _files(pod, volume, references, capacity)
    if files is not None:
        write_files(own, files)
    elif "emptyDir" in volume or set(volume) == {"name"}:
        own.mkdir(parents=True, exist_ok=True)
        # Any user of the pod may write, as in an emptyDir.
        own.chmod(0o777)
    else:
        kind = ", ".join(sorted(set(volume) - {"name"}))
        raise ContainerConfigError(
            f"volume {volume['name']!r}: {kind} is not supported where pods run as processes; use emptyDir, "
            "hostPath, configMap, secret, projected, downwardAPI or a persistentVolumeClaim"
        )
    return own


def _host_path(host_path: Mapping[str, Any]) -> Path:
    path, kind = Path(str(host_path.get("path", ""))), str(host_path.get("type") or "")
    if kind == "DirectoryOrCreate":
        path.mkdir(parents=True, exist_ok=True)
    elif kind == "FileOrCreate":
        path.touch()
    checks = {
        "Directory": ("directory", path.is_dir),
        "File": ("file", path.is_file),
        "Socket": ("socket", path.is_socket),
        "CharDevice": ("character device", path.is_char_device),
        "BlockDevice": ("block device", path.is_block_device),
    }
    if kind in checks and not checks[kind][1]():
        raise VolumeNotReadyError(f"hostPath type check failed: {path} is not a {checks[kind][0]}")
    if not path.exists():
        if kind:
            raise VolumeNotReadyError(f"hostPath type check failed: {path} does not exist")
        # Without a type a container runtime makes the folder that it is asked to bind.
        path.mkdir(parents=True, exist_ok=True)
    return path


def _claimed(claim: str, references: References) -> Path:
    volume = references.claims.get(claim)
    if volume is None:
        raise VolumeNotReadyError(f'persistentvolumeclaim "{claim}" is not bound yet, or not found')
    spec = meta.spec(volume)
    path = (spec.get("hostPath") or spec.get("local") or {}).get("path")
    if not path:
        raise ContainerConfigError(
            f"persistentvolumeclaim {claim!r}: its volume {meta.name(volume)!r} is neither hostPath nor local"
        )
    Path(path).mkdir(parents=True, exist_ok=True)
    return Path(path)


Files = dict[str, tuple[bytes, int]]


def _files(
    pod: Object, volume: Mapping[str, Any], references: References, capacity: env.Capacity
) -> Files | None:
    """Content and mode of each file of a volume that consists of data, or None for another volume."""
    projected = volume.get("projected")
    sources = [volume] if projected is None else projected.get("sources") or ()
    mode = int((projected or {}).get("defaultMode") or _DEFAULT_MODE)
    files: Files | None = None if projected is None else {}
    for source in sources:
        part = _source_files(pod, source, references, capacity, mode)
        if part is not None:
            files = {**(files or {}), **part}
    return files


def _source_files(
    pod: Object, source: Mapping[str, Any], references: References, capacity: env.Capacity, mode: int
) -> Files | None:
    if (spec := source.get("configMap")) is not None:
        name = str(spec.get("name", ""))
        return _data_files(spec, references.config_map(name), "configmap", name, mode)
    if (spec := source.get("secret")) is not None:
        name = str(spec.get("secretName") or spec.get("name", ""))
        return _data_files(spec, references.secret(name), "secret", name, mode)
    if (spec := source.get("downwardAPI")) is not None:
        return _downward_files(pod, spec, capacity, mode)
    if (spec := source.get("serviceAccountToken")) is not None:
        token = references.tokens.get(key_of(pod, spec)) or secrets.token_urlsafe(32)
        return {str(spec.get("path", "token")): (token.encode(), 0o600)}
    unknown = set(source) & {"clusterTrustBundle", "podCertificate"}
    if unknown:
        raise ContainerConfigError(f"projected volumes with {', '.join(unknown)} are not supported")
    return None


def _data_files(
    spec: Mapping[str, Any], data: Mapping[str, bytes] | None, kind: str, name: str, mode: int
) -> Files:
    mode = int(spec.get("defaultMode") or mode)
    if data is None:
        if spec.get("optional"):
            return {}
        raise VolumeNotReadyError(f'{kind} "{name}" not found')
    items = spec.get("items")
    if not items:
        return {key: (value, mode) for key, value in data.items()}
    files: Files = {}
    for item in items:
        if item["key"] in data:
            files[item["path"]] = (data[item["key"]], int(item.get("mode") or mode))
        elif not spec.get("optional"):
            what = "config" if kind == "configmap" else "secret"
            raise VolumeNotReadyError(f"{kind} references non-existent {what} key: {item['key']}")
    return files


def _downward_files(pod: Object, spec: Mapping[str, Any], capacity: env.Capacity, mode: int) -> Files:
    mode = int(spec.get("defaultMode") or mode)
    files: Files = {}
    for item in spec.get("items") or ():
        if (field := item.get("fieldRef")) is not None:
            text = env.field_value(pod, str(field.get("fieldPath", "")))
        else:
            text = env.resource_field(pod, {}, item.get("resourceFieldRef") or {}, capacity)
        files[item["path"]] = (text.encode(), int(item.get("mode") or mode))
    return files


def write_files(folder: Path, files: Files) -> None:
    """All of them at once: readers see the old set or the new one, never a mixture.

    Source of the scheme: kubernetes/pkg/volume/util/atomic_writer.go, v1.31: a link `..data` that is replaced.
    """
    if _shows(folder, files):
        return
    folder.mkdir(parents=True, exist_ok=True)
    version = folder / f"..{secrets.token_hex(6)}"
    version.mkdir()
    for path, (content, mode) in files.items():
        if os.path.isabs(path) or ".." in Path(path).parts:
            raise ContainerConfigError(f"volume item path {path!r} must be relative and without '..'")
        file = version / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        file.chmod(mode)
    old = os.readlink(folder / _DATA) if (folder / _DATA).is_symlink() else ""
    staged = folder / "..data_tmp"
    with contextlib.suppress(FileNotFoundError):
        staged.unlink()
    staged.symlink_to(version.name)
    staged.replace(folder / _DATA)
    tops = {Path(path).parts[0] for path in files}
    for top in tops:
        if not (folder / top).is_symlink():
            (folder / top).symlink_to(f"{_DATA}/{top}")
    for entry in folder.iterdir():
        if entry.is_symlink() and not entry.name.startswith("..") and entry.name not in tops:
            entry.unlink()
    if old:
        shutil.rmtree(folder / old, ignore_errors=True)


def _shows(folder: Path, files: Files) -> bool:
    """Whether just these files are there, which may be none."""
    current = folder / _DATA
    if not current.is_dir():
        return False
    try:
        found = {str(path.relative_to(current)) for path in current.rglob("*") if not path.is_dir()}
        return found == {os.path.normpath(path) for path in files} and all(
            (current / path).stat().st_mode & 0o7777 == mode and (current / path).read_bytes() == content
            for path, (content, mode) in files.items()
        )
    except OSError:
        return False


def _sub_path(entry: Mapping[str, Any], values: Mapping[str, str]) -> str:
    """Raises ContainerConfigError for an expression with a variable that the container has not."""
    if not (expression := str(entry.get("subPathExpr") or "")):
        return str(entry.get("subPath") or "")
    expanded = env.expand(expression, values)
    if missing := env.missing(expression, values):
        raise ContainerConfigError(f"missing value for {missing}")
    return expanded


def _with_sub_path(source: Path, sub_path: str) -> Path:
    if not sub_path:
        return source
    if os.path.isabs(sub_path) or ".." in Path(sub_path).parts:
        raise ContainerConfigError(f"subPath {sub_path!r} must be relative and without '..'")
    inside = source / sub_path
    if not inside.resolve().is_relative_to(source.resolve()):
        raise ContainerConfigError(f"subPath {sub_path!r} leads out of its volume")
    if not inside.exists():
        inside.mkdir(parents=True, exist_ok=True)
    return inside
