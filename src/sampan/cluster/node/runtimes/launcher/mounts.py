"""A container's view of the files: a mount namespace with its volumes, and a /tmp of its own.

Runs in the forked child, before its program. Mount points that the machine lacks are made without touching it:
the nearest folder that exists is replaced, in this namespace only, by a scratch folder into which every entry is
bound back; for `/` that means a new root.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
from collections.abc import Sequence
from typing import Any

from .libc import (
    CLONE_NEWNS,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    MS_BIND,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
    MS_RELATIME,
    MS_REMOUNT,
    mount,
    setns,
    unshare,
)

_NO_DEVICE = re.compile(r"(tty(S|AMA|USB|ACM)?|loop|ram|nbd|zram|sd[a-z]|vcs[au]?)\d+|vcs[au]?")


def enter_namespace() -> None:
    """Raises OSError where neither root nor user namespaces allow a mount namespace."""
    if os.geteuid() == 0:
        unshare(CLONE_NEWNS)
    else:
        user, group = os.geteuid(), os.getegid()
        unshare(CLONE_NEWUSER | CLONE_NEWNS)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{user} {user} 1")
        _write("/proc/self/gid_map", f"{group} {group} 1")
    mount("none", "/", MS_REC | MS_PRIVATE)


def join(pid: int) -> None:
    """Enters the view of the process `pid`: its namespaces, and its root where that is not the namespace's own."""
    own, other = "/proc/self", f"/proc/{pid}"
    root = os.open(other + "/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    namespaces = []
    # The user namespace first: it gives the rights to enter the other one.
    for name, kind in (("user", CLONE_NEWUSER), ("uts", CLONE_NEWUTS), ("mnt", CLONE_NEWNS)):
        path = f"/ns/{name}"
        # One's own user namespace cannot be entered again.
        if os.stat(own + path).st_ino != os.stat(other + path).st_ino:
            namespaces.append((os.open(other + path, os.O_RDONLY | os.O_CLOEXEC), kind))
    for descriptor, kind in namespaces:
        setns(descriptor, kind)
    if namespaces:
        os.chdir(root)
        os.chroot(".")
    for descriptor in (root, *(each[0] for each in namespaces)):
        os.close(descriptor)


def possible(folder: str) -> tuple[bool, bool]:
    """Whether namespaces, and in them overlays of `folder`, work: tried in a child, nothing else can tell."""
    scratch = os.path.join(folder, f"probe-{os.getpid()}")
    lower = os.path.join(scratch, "lower")
    pid = os.fork()
    if pid == 0:
        answer = 1
        try:
            enter_namespace()
            answer = 2
            os.makedirs(lower)
            overlay(lower, os.path.join(scratch, "upper"), os.path.join(scratch, "work"))
            _touch(os.path.join(lower, "file"))
            answer = 0
        finally:
            os._exit(answer)
    status = os.waitpid(pid, 0)[1]
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 1
    shutil.rmtree(scratch, ignore_errors=True)
    return code in (0, 2), code == 0


def overlay(lower: str, upper: str, work: str) -> None:
    """Makes `lower` writable at its own path: what is changed lands in `upper`. Raises OSError.

    Nothing happens where it is so already: a program and a command in its container may both ask for it.
    """
    if _is_overlay(lower, upper):
        return
    for folder in (upper, work):
        os.makedirs(folder, exist_ok=True)
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    try:
        # Without it the end of each container would wait for the disk; what is written is thrown away anyway.
        mount("overlay", lower, 0, "overlay", options + ",volatile")
    except OSError:
        # Linux before 5.10.
        mount("overlay", lower, 0, "overlay", options)


def _is_overlay(folder: str, upper: str) -> bool:
    # As the kernel writes it: a blank or a backslash in a path is an octal number there.
    place, option = (
        path.replace("\\", "\\134").replace(" ", "\\040") for path in (folder, "upperdir=" + upper)
    )
    with open("/proc/self/mountinfo", errors="surrogateescape") as file:
        for line in file:
            fields = line.rstrip("\n").split(" ")
            if fields[4] == place and option in fields[-1].split(","):
                return True
    return False


class View:
    """The mounts of one container.

    `scratch` is a folder of the pod's for missing mount points, `devices` one of the node's for those in /dev: it is
    the same for all, so that only the first container makes its entries.
    """

    def __init__(self, scratch: str, devices: str) -> None:
        self._scratch = scratch
        self._devices = devices
        self._replaced: list[str] = []
        # Folders in which anything may be made, with all below them: volumes, and what was made for them.
        self._own: list[str] = []
        self._visible: list[str] = []

    def build(self, volumes: list[dict[str, Any]], tmp: str | None, visible: list[str]) -> None:
        """Nothing hides the folders `visible`: in what is mounted above them they are found again. Raises OSError."""
        self._visible = visible
        held = _hold(volumes) if tmp else {}
        if tmp:
            self._private_tmp(tmp)
        for volume in sorted(volumes, key=lambda volume: str(volume["target"]).count("/")):
            source = str(volume["source"])
            place = f"/proc/self/fd/{held[source]}" if source in held else source
            self._bind(place, volume["target"], bool(volume.get("read_only")), whole=source not in held)
        for descriptor in held.values():
            os.close(descriptor)

    def bind_file(self, source: str, target: str) -> None:
        """Shows the file `source`, made if need be, at `target`. Raises OSError."""
        _touch(source)
        self._bind(source, target, False)

    def _show_below(self, target: str, source: str) -> None:
        for path in self._visible:
            if path.startswith(target + "/"):
                inside = os.path.join(source, os.path.relpath(path, target))
                os.makedirs(inside, exist_ok=True)
                mount(path, inside, MS_BIND | MS_REC)

    def _private_tmp(self, tmp: str) -> None:
        self._show_below("/tmp", tmp)  # noqa: S108
        mount(tmp, "/tmp", MS_BIND | MS_REC)  # noqa: S108
        self._own.append("/tmp")  # noqa: S108

    def _bind(self, source: str, target: str, read_only: bool, *, whole: bool = True) -> None:
        """`whole`: with what is mounted in it."""
        target = os.path.realpath(target)
        if not os.path.lexists(target):
            self._make_mount_point(target, folder=os.path.isdir(source))
        self._show_below(target, source)
        mount(source, target, MS_BIND | MS_REC if whole else MS_BIND)
        if read_only:
            mount("none", target, MS_REMOUNT | MS_BIND | MS_RDONLY | _kept_flags(target))
        self._own.append(target)

    def _make_mount_point(self, target: str, folder: bool) -> None:
        base, top = os.path.dirname(target), target
        while not os.path.isdir(base):
            base, top = os.path.dirname(base), base
        if base not in self._replaced and not self._is_own(base):
            self._replace(base)
        self._own.append(top)
        if folder:
            os.makedirs(target, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            _touch(target)

    def _is_own(self, folder: str) -> bool:
        return any(folder == own or folder.startswith(own + "/") for own in self._own)

    def _replace(self, base: str) -> None:
        staging = os.path.join(self._scratch, base.strip("/").replace("/", "@") or "@root")
        if base == "/dev":
            staging = self._devices
        os.makedirs(staging, exist_ok=True)
        if base == "/run":
            # It is in memory on the machine too. On a disk its many entries cost as much as the rest of a start.
            with contextlib.suppress(OSError):
                mount("tmpfs", staging, 0, "tmpfs", "mode=0755")
        for entry in sorted(os.scandir(base), key=lambda entry: entry.name):
            place = os.path.join(staging, entry.name)
            if base == "/dev" and _device(entry.name, place):
                continue
            if entry.is_symlink():
                _link(os.readlink(entry.path), place)
                continue
            if stat.S_ISDIR(entry.stat().st_mode):
                os.makedirs(place, exist_ok=True)
            else:
                _touch(place)
            mount(entry.path, place, MS_BIND | MS_REC)
        if base == "/":
            os.chroot(staging)
            os.chdir("/")
        else:
            mount(staging, base, MS_BIND | MS_REC)
        self._replaced.append(base)


def _hold(volumes: list[dict[str, Any]]) -> dict[str, int]:
    """Of the machine's /tmp, which will be hidden, and files in it, descriptors that lead to them. Folders in it stay
    visible."""
    sources = {str(volume["source"]) for volume in volumes}
    hidden = [source for source in sources if source == "/tmp" or _is_file_in_tmp(source)]  # noqa: S108
    return {source: os.open(source, os.O_PATH | os.O_CLOEXEC) for source in hidden}


def _is_file_in_tmp(source: str) -> bool:
    return source.startswith("/tmp/") and os.path.isfile(source)  # noqa: S108


def show_termination_log(view: View, termination: Sequence[str]) -> None:
    """The file of the last words at its place. Where that is not possible the container does without."""
    with contextlib.suppress(OSError):
        view.bind_file(*termination)


def _device(name: str, place: str) -> bool:
    """Whether an entry of /dev needs nothing more: consoles and disks, which containers do not get, and terminals."""
    if _NO_DEVICE.fullmatch(name):
        return True
    if name == "ptmx":
        # It looks for its terminals beside itself, and bound to another place it finds none.
        _link("pts/ptmx", place)
        return True
    if name == "pts" and not os.access("/dev/pts/ptmx", os.W_OK):
        os.makedirs(place, exist_ok=True)
        try:
            mount("devpts", place, 0, "devpts", "newinstance,ptmxmode=0666,mode=0620")
        except OSError:
            return False
        return True
    return False


def _kept_flags(target: str) -> int:
    """Flags of the mount below that a user namespace may not take away, such as nosuid on /tmp."""
    flags = os.statvfs(target).f_flag
    kept = flags & (os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC | os.ST_NOATIME | os.ST_NODIRATIME)
    return kept | (MS_RELATIME if flags & os.ST_RELATIME else 0)


def _link(target: str, place: str) -> None:
    with contextlib.suppress(FileExistsError):
        os.symlink(target, place)


def _touch(path: str) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)
