"""Archives of TorchServe's are unpacked into a folder of their own, and nowhere else."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from sampan.components.serving.engine.programs.modelserver.contract import LoadError, Source
from sampan.components.serving.engine.programs.modelserver.runtimes import torchserve


def archive(folder: Path, **files: str) -> Path:
    file = folder / "m.mar"
    with zipfile.ZipFile(file, "w") as written:
        for name, text in files.items():
            written.writestr(name, text)
    return file


@pytest.mark.parametrize("name", ["../out.py", "/tmp/out.py", "a/../../out.py"])
def test_no_file_is_written_elsewhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(LoadError, match="no file of its own folder"):
        torchserve.unpacked(archive(tmp_path, **{name: "x"}))


def test_no_link_leads_elsewhere(tmp_path: Path) -> None:
    file = tmp_path / "m.mar"
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(file, "w") as written:
        written.writestr(link, "/etc")
    with pytest.raises(LoadError, match="no file of its own folder"):
        torchserve.unpacked(file)


def test_it_does_not_unpack_to_more_than_a_model_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchserve, "_MOST_BYTES", 100)
    with pytest.raises(LoadError, match="more than a model has"):
        torchserve.unpacked(archive(tmp_path, a="x" * 101))


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "no MAR-INF/MANIFEST.json"),
        ({"MAR-INF/MANIFEST.json": "["}, "no MAR-INF/MANIFEST.json"),
        ({"MAR-INF/MANIFEST.json": "[]"}, "not TorchServe's"),
        ({"MAR-INF/MANIFEST.json": '{"model": {}}'}, "names no handler"),
    ],
)
def test_what_is_wrong_with_it_is_said(tmp_path: Path, files: dict[str, str], said: str) -> None:
    archive(tmp_path, **files)
    with pytest.raises(LoadError, match=said):
        torchserve.load(Source("m", str(tmp_path)))


def test_it_is_a_file_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "m.mar").write_bytes(b"none")
    with pytest.raises(LoadError, match="not an archive"):
        torchserve.load(Source("m", str(tmp_path)))
    with pytest.raises(LoadError, match="no file of the model store"):
        torchserve.load(Source("m", str(tmp_path), {"archive": "../m.mar"}))
