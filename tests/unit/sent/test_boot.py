"""What starts sent code in a pod, by the Python of the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sampan.sent.boot import BOOT
from sampan.sent.sources import archive_of


def test_the_code_is_unpacked_and_run_without_a_word_of_its_own(tmp_path: Path) -> None:
    """Pythons from 3.12 on print a warning where an archive is unpacked as it is, unless they are told to."""
    data = archive_of({"train.py": b"import sys, parts.words\nprint(sys.argv[1:])", "parts/words.py": b""})
    (tmp_path / "boot.py").write_text(BOOT)
    for at, part in enumerate((data[:50], data[50:])):
        (tmp_path / f"code.{at}").write_bytes(part)
    work = tmp_path / "work"
    work.mkdir()
    done = subprocess.run(
        [sys.executable, "-W", "error", str(tmp_path / "boot.py"), "python", "train.py", "--epochs", "3"],
        env={**os.environ, "SAMPAN_WORKDIR": str(work)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "['--epochs', '3']\n", "")
    assert (work / "parts" / "words.py").stat().st_mode & 0o777 == 0o755
