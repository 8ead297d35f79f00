"""`sampan up` that prints the third-party packages it has loaded when it is ready, and ends."""

from __future__ import annotations

import os
import signal
import sys

from sampan.cli import up
from sampan.cli.main import main


def report(*_args: object) -> None:
    # Of the package `cel` only its extension module may be there, which is quick to load: not what is around it.
    packages = {name for name in sys.modules if "." not in name}
    ours = sorted(packages - sys.stdlib_module_names - {"__main__", "sampan"})
    print("PACKAGES", *(name for name in ours if not name.startswith("_")), flush=True)
    print("ENGINE", "sampan.components.pipelines.engine.engine" in sys.modules, flush=True)
    print("ENDPOINTS", "sampan.components.pipelines.rest.endpoints" in sys.modules, flush=True)
    print("OTHER DIALECTS", "sqlalchemy.dialects.postgresql" in sys.modules, flush=True)
    os.kill(os.getpid(), signal.SIGTERM)


up._print_ready = report
main()
