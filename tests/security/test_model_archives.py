"""Attacks' table, rows 5 and 6, on models' archives: nothing gets out of its folder, and nothing swells for ever."""

from __future__ import annotations

import gzip
import io
import os
import stat
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from sampan.components.serving.engine.programs.initializer import archives
from sampan.components.serving.engine.programs.initializer.errors import StorageError

NAMES = [
    "../out",
    "a/../../out",
    "/etc/out",
    "//out",
    "a/./../../out",
    "..\\out",
    "C:\\out",
    "\\\\host\\share\\out",
    "a\0b",
    "x" * 300,
    "../" * 30 + "tmp/out",
]


def tar(*members, mode="w:gz"):
    """Of (TarInfo, content)."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode, format=tarfile.GNU_FORMAT) as archive:
        for info, body in members:
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return packed.getvalue()


def entry(name, kind=tarfile.REGTYPE, link="", mode=0o644):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, mode
    return info


def zipped(*members):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for info, body in members:
            archive.writestr(info, body)
    return packed.getvalue()


def zip_entry(name, mode=stat.S_IFREG | 0o644):
    info = zipfile.ZipInfo("placeholder")
    info.filename = name
    info.external_attr = mode << 16
    return info


@pytest.fixture
def unpack(tmp_path):
    """Unpacks what it is given below `inside/model`, and tells what lies outside afterwards."""
    folder = tmp_path / "inside" / "model"
    folder.mkdir(parents=True)

    def run(body: bytes, name: str = "m.tar.gz", most_bytes: int = 0) -> Path:
        file = tmp_path / name
        file.write_bytes(body)
        before = {each for each in tmp_path.rglob("*") if not each.is_relative_to(folder)}
        try:
            archives.unpack(file, folder, most_bytes=most_bytes)
        finally:
            assert {each for each in tmp_path.rglob("*") if not each.is_relative_to(folder)} == before
        return folder

    return run


def nothing_in(folder: Path) -> bool:
    return not any(folder.parent.joinpath("model").iterdir())


class TestNames:
    @pytest.mark.parametrize("name", NAMES)
    def test_of_tar(self, unpack, name, tmp_path):
        with pytest.raises(StorageError, match=r"would lie outside of its folder|not valid"):
            unpack(tar((entry("good"), b"1"), (entry(name.replace("\0", "/../../")), b"2")))
        assert nothing_in(tmp_path / "inside" / "model")

    @pytest.mark.parametrize("name", [each for each in NAMES if "\0" not in each])
    def test_of_zip(self, unpack, name, tmp_path):
        with pytest.raises(StorageError, match="would lie outside of its folder"):
            unpack(zipped((zip_entry("good"), b"1"), (zip_entry(name), b"2")), "m.zip")
        assert nothing_in(tmp_path / "inside" / "model")


class TestLinks:
    @pytest.mark.parametrize(
        "target", ["/etc/passwd", "../../secret", "a/../../../secret", "..", "../other", "x" * 5000, ""]
    )
    def test_out_of_the_folder(self, unpack, target):
        with pytest.raises(StorageError, match=r"outside of its folder|not valid"):
            unpack(tar((entry("l", tarfile.SYMTYPE, target), b"")))
        with pytest.raises(StorageError, match="outside of its folder"):
            unpack(zipped((zip_entry("l", stat.S_IFLNK | 0o777), target.encode())), "m.zip")

    def test_write_through_one(self, unpack, tmp_path):
        """CVE-2026-27905: a link, then a file below it."""
        (tmp_path / "target").mkdir()
        with pytest.raises(StorageError):
            unpack(tar((entry("d", tarfile.SYMTYPE, str(tmp_path / "target")), b""), (entry("d/out"), b"1")))
        with pytest.raises(StorageError):
            unpack(tar((entry("d", tarfile.SYMTYPE, "../../target"), b""), (entry("d/out"), b"1")))
        assert not any((tmp_path / "target").iterdir())

    def test_by_way_of_others(self, unpack):
        """Each looks harmless: `d/e` is the folder itself, and what goes up from there is not where its words say."""
        chain = [
            (entry("d/e", tarfile.SYMTYPE, ".."), b""),
            (entry("z", tarfile.SYMTYPE, "d/e/../.."), b""),
            (entry("z/passwd", tarfile.SYMTYPE, "x"), b""),
        ]
        for members in (chain, chain[::-1]):
            with pytest.raises(StorageError, match=r"outside of its folder|of one name"):
                unpack(tar(*members))

    def test_inside_the_folder_they_are_kept(self, unpack):
        folder = unpack(
            tar(
                (entry("v1/model"), b"1"),
                (entry("latest", tarfile.SYMTYPE, "v1"), b""),
                (entry("m", tarfile.LNKTYPE, "v1/model"), b""),
            )
        )
        assert (folder / "latest/model").read_bytes() == (folder / "m").read_bytes() == b"1"
        assert os.readlink(folder / "latest") == "v1"

    @pytest.mark.parametrize("target", ["/etc/passwd", "../../secret", "none"])
    def test_hard_ones(self, unpack, target):
        with pytest.raises(StorageError):
            unpack(tar((entry("h", tarfile.LNKTYPE, target), b"")))

    def test_a_hard_one_to_a_soft_one(self, unpack):
        with pytest.raises(StorageError):
            unpack(tar((entry("s", tarfile.SYMTYPE, "x"), b""), (entry("h", tarfile.LNKTYPE, "s"), b"")))


class TestKinds:
    @pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, b"Z"])
    def test_devices_and_pipes(self, unpack, kind):
        info = entry("d", kind)
        info.devmajor, info.devminor = 1, 3
        with pytest.raises(StorageError, match="neither a file nor a folder"):
            unpack(tar((info, b"")))

    def test_rights_are_none_of_the_archives(self, unpack):
        folder = unpack(tar((entry("run", mode=0o6777), b"1"), (entry("read", mode=0), b"2")))
        assert stat.S_IMODE((folder / "run").stat().st_mode) == 0o755
        assert stat.S_IMODE((folder / "read").stat().st_mode) == 0o644

    def test_the_same_name_twice_and_a_folder_in_its_place(self, unpack):
        assert (unpack(tar((entry("m"), b"1"), (entry("m"), b"2"))) / "m").read_bytes() == b"2"

    @pytest.mark.parametrize(
        "body",
        [b"", b"x" * 1000, b"PK\x03\x04" + b"\0" * 100, gzip.compress(b"x" * 5000, mtime=0)],
        ids=["empty", "text", "zip", "gzip"],
    )
    def test_what_is_none(self, unpack, body):
        for name in ("m.tgz", "m.zip", "m.tar"):
            with pytest.raises(StorageError, match="not valid"):
                unpack(body, name)

    def test_a_locked_zip(self, unpack):
        body = bytearray(zipped((zip_entry("m"), b"1")))
        for offset in (6, body.find(b"PK\x01\x02") + 8):
            body[offset] |= 1
        with pytest.raises(StorageError, match=r"not valid.*encrypted"):
            unpack(bytes(body), "m.zip")


class TestBombs:
    def test_zeros_without_end(self, unpack, tmp_path, monkeypatch):
        """ADA-06, KServe #5971: what swells a thousandfold is stopped long before the disk is full."""
        monkeypatch.setattr(archives, "_ALWAYS_ALLOWED", 8 << 20)
        info = tarfile.TarInfo("zeros")
        info.size = 10 << 30
        body = gzip.compress(info.tobuf()) + gzip.compress(bytes(1 << 20)) * 64
        with pytest.raises(StorageError, match="unpacks to more than"):
            unpack(body)
        assert nothing_in(tmp_path / "inside" / "model")

    def test_in_a_zip_that_lies_about_its_sizes(self, unpack, monkeypatch):
        monkeypatch.setattr(archives, "_ALWAYS_ALLOWED", 1 << 20)
        body = bytearray(zipped((zip_entry("zeros"), bytes(64 << 20))))
        directory = body.find(b"PK\x01\x02")
        body[directory + 24 : directory + 28] = struct.pack("<I", 10)
        with pytest.raises(StorageError, match=r"unpacks to more than|not valid"):
            unpack(bytes(body), "m.zip")

    def test_more_than_a_model_may_be(self, unpack):
        with pytest.raises(StorageError, match=r"serving\.max_model_gib"):
            unpack(tar((entry("m"), os.urandom(3000))), most_bytes=2000)

    def test_entries_without_end(self, unpack, monkeypatch):
        monkeypatch.setattr(archives, "MOST_FILES", 1000)
        one = entry("folder", tarfile.DIRTYPE).tobuf(tarfile.GNU_FORMAT)
        with pytest.raises(StorageError, match="more than 1000 entries"):
            unpack(gzip.compress(one * 1001))

    def test_a_sparse_file_of_a_terabyte(self, unpack):
        """Holes are bytes too."""
        info = entry("sparse", tarfile.GNUTYPE_SPARSE)
        header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
        header[386:410] = b"00000000000\0" + b"00000000000\0"
        header[483:495] = struct.pack(">B", 0x80) + (1 << 40).to_bytes(11, "big")
        header[148:156] = b" " * 8
        header[148:156] = f"{sum(header[:512]):06o}\0 ".encode()
        with pytest.raises(StorageError, match=r"unpacks to more than|not valid"):
            unpack(gzip.compress(bytes(header) + bytes(1024)))

    @pytest.mark.parametrize(
        "kind", [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE]
    )
    def test_a_name_of_gigabytes_is_not_read(self, unpack, kind):
        info = entry("././@LongLink", kind)
        info.size = 8 << 30
        with pytest.raises(StorageError, match="more than 1 MiB"):
            unpack(gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(4096)))
