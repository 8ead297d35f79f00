"""Archives of models unpacked: tar in all its compressions, and zip. Nothing of one gets out of its folder.

What is refused: absolute names and `..`, links out of the folder (also by way of other links), devices, more than so
many entries or bytes, and what swells beyond measure (attacks' table, row 6; KServe #4975, #5971). Links are made last,
so that nothing is written through one.
"""

from __future__ import annotations

import contextlib
import lzma
import mimetypes
import os
import posixpath
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sampan.components.serving.engine.programs.initializer import places
from sampan.components.serving.engine.programs.initializer.errors import StorageError
from sampan.components.serving.engine.programs.initializer.items import MOST_FILES, file_name

TAR, ZIP = "application/x-tar", "application/zip"
_PIECE = 1 << 20
_LARGEST_RATIO, _ALWAYS_ALLOWED = 100, 256 << 20
"""What an archive holds may be so many times its own size, or so many bytes at least."""
_LONGEST_LINK = 4096
_BROKEN = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError),
    *(NotImplementedError, RuntimeError),
)


def kind_of(name: str) -> str:
    """TAR or ZIP by a file's name; empty for what is no archive."""
    found, _ = mimetypes.guess_type(name)
    return found if found in (TAR, ZIP) else ""


@dataclass(slots=True)
class _Room:
    """How much more may come out."""

    bytes_left: int
    most: str
    entries_left: int

    def entry(self) -> None:
        self.entries_left -= 1
        if self.entries_left < 0:
            raise StorageError(f"The archive has more than {MOST_FILES} entries")

    def grow(self, count: int) -> None:
        self.bytes_left -= count
        if self.bytes_left < 0:
            raise StorageError(f"The archive unpacks to more than {self.most}")


def unpack(archive: Path, target: Path, *, most_bytes: int = 0, kind: str = "") -> None:
    """All of it below `target`. What failed leaves nothing. Raises StorageError, OSError."""
    folder = target / f"{places.PART}unpacked"
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(parents=True)
        unpack_into(archive, folder, most_bytes=most_bytes, kind=kind)
        places.put_tree(folder, target, share=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def unpack_into(
    archive: Path, folder: Path, *, most_bytes: int = 0, kind: str = "", inside: str = ""
) -> None:
    """Into an empty folder, in which a part stays where it fails. Raises StorageError, OSError.

    `inside`: of a tar archive only what it has below that name, without it.
    """
    kind = kind or kind_of(archive.name)
    room = _room(archive, most_bytes)
    try:
        links = _untar(archive, folder, room, inside) if kind == TAR else _unzip(archive, folder, room)
        _make_links(folder, links)
    except _BROKEN as error:
        raise StorageError(
            f"Failed to unpack archive file {archive.name}. The file format is not valid: {error}"
        ) from error
    except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        raise StorageError(f"The archive {archive.name} has a file and a folder of one name") from error


def _room(archive: Path, most_bytes: int) -> _Room:
    size = archive.stat().st_size
    allowed = max(size * _LARGEST_RATIO, _ALWAYS_ALLOWED)
    if most_bytes and most_bytes < allowed:
        return _Room(
            most_bytes, f"the {most_bytes / 1024**3:g} GiB that serving.max_model_gib allows", MOST_FILES
        )
    return _Room(
        allowed, f"{allowed / 1024**2:.0f} MiB, which for one of {size} bytes is no model", MOST_FILES
    )


class _Entry(tarfile.TarInfo):
    """One whose long names and attributes, which are read at once, are not as long as they say."""

    def _proc_gnulong(self, opened: tarfile.TarFile) -> tarfile.TarInfo:
        self._check_length()
        return super()._proc_gnulong(opened)  # type: ignore[misc,no-any-return]

    def _proc_pax(self, opened: tarfile.TarFile) -> tarfile.TarInfo:
        self._check_length()
        return super()._proc_pax(opened)  # type: ignore[misc,no-any-return]

    def _check_length(self) -> None:
        if self.size > _PIECE:
            raise StorageError("The archive has a name or attributes of more than 1 MiB")


def _untar(archive: Path, folder: Path, room: _Room, inside: str) -> dict[Path, str]:
    links: dict[Path, str] = {}
    with tarfile.open(archive, "r:*", encoding="utf-8", tarinfo=_Entry) as opened:
        for member in opened:
            room.entry()
            if (name := _below(inside, member.name)) is None:
                continue
            place = _place(folder, name)
            if place is None or member.isdir():
                (place or folder).mkdir(parents=True, exist_ok=True)
            elif member.isreg():
                with _content(opened, member) as stream:
                    _write(stream, place, room, is_executable=bool(member.mode & 0o100))
            elif member.issym():
                links[place] = member.linkname
            elif member.islnk():
                _hard_link(folder, _below(inside, member.linkname) or "", place, links)
            else:
                raise StorageError(f"The archive holds {member.name!r}, which is neither a file nor a folder")
    return links


@contextlib.contextmanager
def _content(opened: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[IO[bytes]]:
    stream = opened.extractfile(member)
    assert stream is not None, "only regular members come here"
    with stream:
        yield stream


def _hard_link(folder: Path, name: str, place: Path, links: dict[Path, str]) -> None:
    source = _place(folder, name)
    if source is None or source in links or source.is_symlink() or not source.is_file():
        raise StorageError(f"The archive links to {name!r}, which is no file in it")
    if source != place:
        places.put(source, place, share=False)


def _unzip(archive: Path, folder: Path, room: _Room) -> dict[Path, str]:
    links: dict[Path, str] = {}
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            room.entry()
            mode = member.external_attr >> 16
            place = _place(folder, member.filename)
            if place is None or member.is_dir():
                (place or folder).mkdir(parents=True, exist_ok=True)
                continue
            if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFLNK):
                raise StorageError(
                    f"The archive holds {member.filename!r}, which is neither a file nor a folder"
                )
            with opened.open(member) as stream:
                if stat.S_ISLNK(mode):
                    links[place] = stream.read(_LONGEST_LINK + 1).decode("utf-8", "surrogateescape")
                else:
                    _write(stream, place, room, is_executable=bool(mode & 0o100))
    return links


def _below(inside: str, name: str) -> str | None:
    """The name below that folder; None for what lies elsewhere."""
    if not inside:
        return name
    plain = posixpath.normpath(name.lstrip("/"))
    if plain == inside:
        return "."
    return plain.removeprefix(f"{inside}/") if plain.startswith(f"{inside}/") else None


def _place(folder: Path, name: str) -> Path | None:
    """Where an entry goes; None for the folder itself. Raises StorageError for one that would lie elsewhere."""
    if name.startswith("/") or "\\" in name:
        raise StorageError(f"The archive holds {name[:200]!r}, which would lie outside of its folder")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not parts:
        return None
    try:
        return folder / file_name("/".join(parts))
    except StorageError:
        raise StorageError(
            f"The archive holds {name[:200]!r}, which would lie outside of its folder"
        ) from None


def _write(stream: IO[bytes], place: Path, room: _Room, *, is_executable: bool) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    # A later entry of the same name counts, as with tar itself; a folder there makes this fail.
    place.unlink(missing_ok=True)
    with open(place, "xb") as written:
        while piece := stream.read(_PIECE):
            room.grow(len(piece))
            written.write(piece)
    place.chmod(0o755 if is_executable else 0o644)


def _make_links(folder: Path, links: dict[Path, str]) -> None:
    """Each is looked at as the kernel sees it then: what others of them mean counts."""
    for place, target in links.items():
        name = place.relative_to(folder)
        inside = posixpath.normpath(os.path.join(name.parent, target))
        if not target or len(target) > _LONGEST_LINK or target.startswith("/") or inside.startswith(".."):
            raise StorageError(f"The archive links {name} to {target[:200]!r}, outside of its folder")
        _check_inside(folder, place.parent)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.symlink_to(target)
    for place in links:
        _check_inside(folder, place)


def _check_inside(folder: Path, place: Path) -> None:
    root, real = os.path.realpath(folder), os.path.realpath(place)
    if real != root and not real.startswith(root + os.sep):
        raise StorageError(f"The archive's link {place.relative_to(folder)} leads outside of its folder")
