"""`sampan up` that, once all is loaded that loads by itself and a page was shown, prints what is loaded, and ends."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import urllib.request
from collections.abc import Iterable

from sampan.app.server import Ready
from sampan.cli import up
from sampan.cli.main import main

_LOADED_AFTERWARDS = (
    "sampan.components.pipelines.engine.engine",
    "sampan.components.pipelines.rest.endpoints",
    "sampan.components.training.controller.parts",
    "sampan.components.tuning.controller.parts",
    "sampan.components.serving.controller.parts",
    "sampan.dashboard.serving",
)


def report(ready: Ready) -> None:
    threading.Thread(target=_report, args=(ready.url,), daemon=True).start()


def _report(url: str) -> None:
    try:
        with urllib.request.urlopen(url, timeout=120) as answer:
            print("PAGE", b"<title>Home" in answer.read(), flush=True)
        deadline = time.monotonic() + 120
        while missing := [*_missing(_LOADED_AFTERWARDS)]:
            assert time.monotonic() < deadline, missing
            time.sleep(0.05)
        print("MODULES", *sys.modules, flush=True)
    finally:
        os.kill(os.getpid(), signal.SIGTERM)


def _missing(names: Iterable[str]) -> Iterable[str]:
    for name in names:
        module = sys.modules.get(name)
        if module is None or getattr(module.__spec__, "_initializing", False):
            yield name


up._print_ready = report
main()
