"""`sampan up` that kills itself with SIGKILL around its N-th commit once the file `HOME/armed` exists.

    python crashing_server.py N before|after up --home HOME …

Every transition of a run is one commit, so N goes over all points at which a crash can find it.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from sampan.cli.main import main
from sampan.store import database

AT, WHEN, ARGUMENTS = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
ARMED = Path(ARGUMENTS[ARGUMENTS.index("--home") + 1]) / "armed"


class Countdown:
    """Stands around the writer's commit."""

    def __init__(self) -> None:
        self.commits = 0
        self.commit = database.Database._commit

    def __call__(self, writer: Any, batch: Any) -> None:
        if ARMED.exists():
            self.commits += 1
            if self.commits == AT and WHEN == "before":
                os.kill(os.getpid(), signal.SIGKILL)
        self.commit(writer, batch)
        if self.commits == AT and WHEN == "after":
            os.kill(os.getpid(), signal.SIGKILL)


countdown = Countdown()
database.Database._commit = lambda self, batch: countdown(self, batch)  # type: ignore[method-assign]
sys.argv[1:] = ARGUMENTS
main()
