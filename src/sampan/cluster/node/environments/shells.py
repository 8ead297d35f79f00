"""Which program `sh` is: in images of busybox and of Red Hat's family it knows more than Debian's does (`[[`, say).

Called by the facade. An image's `sh` becomes a link of that name in a folder for the front of PATH; a shell that is
called as `sh` behaves as one. `/bin/sh`, by its full path, remains the machine's.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from sampan.lib.files import replace_link


def shell_folder(root: Path, program: str, path: str | None) -> Path | None:
    """The folder in `root` whose `sh` is `program`.

    None where this machine has no such program, or `root` cannot be written: the machine's `sh` does for most.
    """
    found = shutil.which(program, path=path)
    if found is None:
        return None
    folder = root / program
    link = folder / "sh"
    try:
        if link.is_symlink() and os.readlink(link) == found:
            return folder
        folder.mkdir(parents=True, exist_ok=True)
        replace_link(link, found)
    except OSError:
        return None
    return folder
