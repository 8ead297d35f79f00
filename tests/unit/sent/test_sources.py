"""What comes along with a script, and what does not."""

from __future__ import annotations

import io
import random
import tarfile
from pathlib import Path

import pytest

from sampan.sent import sources
from sampan.sent.sources import SourcesError, archive_of, collect, imports_of


def test_what_the_script_imports_from_beside_it_comes_along_however_deep(tmp_path: Path) -> None:
    files = {
        "train.py": "import models.net\nimport torch\nfrom data import load\n",
        "models/__init__.py": "",
        "models/net.py": "from . import layers\n",
        "models/layers.py": "import constants\n",
        "models/weights.bin": "x",
        "data.py": "def load(): import lazily\n",
        "lazily.py": "",
        "constants.py": "",
        "unrelated.py": "import nothing",
        "secrets.txt": "password",
        "models/__pycache__/net.pyc": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = collect(tmp_path / "train.py")
    # A package comes whole, for it may read what lies in it.
    package = {"models/__init__.py", "models/net.py", "models/layers.py", "models/weights.bin"}
    assert set(found.files) == {"train.py", "data.py", "lazily.py", "constants.py", *package}
    assert "torch" in found.imported


def test_a_folder_without_init_gives_what_is_named_of_it(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    for name in ("a.py", "b.py", "huge.csv"):
        (tmp_path / "lib" / name).write_text("")
    (tmp_path / "train.py").write_text("from lib import a\n")
    assert set(collect(tmp_path / "train.py").files) == {"train.py", "lib/a.py"}


def test_more_comes_along_when_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "a.yaml").write_text("a: 1")
    (tmp_path / "train.py").write_text("")
    elsewhere = tmp_path.parent / f"{tmp_path.name}-elsewhere"
    elsewhere.mkdir()
    (elsewhere / "x.txt").write_text("x")
    found = collect(tmp_path / "train.py", [tmp_path / "conf", elsewhere])
    assert set(found.files) == {"train.py", "conf/a.yaml", f"{elsewhere.name}/x.txt"}
    with tarfile.open(fileobj=io.BytesIO(found.archive())) as tar:
        assert sorted(tar.getnames()) == sorted(found.files)
    with pytest.raises(SourcesError, match="neither a file nor a folder"):
        collect(tmp_path / "train.py", [tmp_path / "none"])


def test_the_same_files_are_the_same_archive() -> None:
    files = {"b": b"2", "a": b"1"}
    assert archive_of(files) == archive_of(dict(reversed(files.items())))


def test_too_much_is_told_with_what_is_largest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MOST_ARCHIVE_BYTES", 1000)
    noise = random.Random(1).randbytes(3000)
    with pytest.raises(SourcesError, match=r"the largest file is model\.bin"):
        archive_of({"a.py": b"x", "model.bin": noise})


def test_a_mistake_in_the_script_is_told_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("a = 1\ndef f(:\n")
    with pytest.raises(SourcesError, match=r"train.py, line 2"):
        collect(tmp_path / "train.py")
    with pytest.raises(SourcesError, match="is no file"):
        collect(tmp_path / "none.py")


def test_imports_in_functions_count() -> None:
    assert imports_of("def f():\n  from torch.nn import Linear\n") == {"torch.nn", "torch.nn.Linear"}


def test_a_link_that_leads_around_does_not_hang(tmp_path: Path) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__init__.py").write_text("")
    (tmp_path / "pkg" / "again").symlink_to(tmp_path / "pkg")
    (tmp_path / "train.py").write_text("import pkg")
    assert set(collect(tmp_path / "train.py").files) == {"train.py", "pkg/__init__.py"}
