"""`sampan.sdk`: the page that explains it runs as it stands, and importing it costs little."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from sampan.testing.clients import interpreter_with
from sampan.testing.server import ServerProcess

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "sdk.md"
HEAVY = (
    "kfp",
    "pandas",
    "sqlalchemy",
    "starlette",
    "uvicorn",
    "sampan.cluster",
    "sampan.store",
    "sampan.web",
)


def test_the_snippets_of_the_page_run(tmp_path: Path) -> None:
    snippets = re.findall(
        r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert len(snippets) == 6
    program = tmp_path / "page.py"
    program.write_text("\n".join(snippets), encoding="utf-8")
    python = interpreter_with("kfp==2.17.0", "pandas==2.3.3", "httpx==0.28.1", "msgspec==0.20.0")
    with ServerProcess(tmp_path / "home") as server:
        env = {**os.environ, "SAMPAN_HOME": str(server.home), "PYTHONPATH": str(ROOT / "src")}
        done = subprocess.run(
            [python, "-W", "ignore", program],
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
            env=env,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "train RUNS it failed in run " in done.stdout
        assert "prepare REUSED" in done.stdout
        pods = server.call("GET", "/api/v1/namespaces/default/pods")["items"]
        assert not [pod for pod in pods if pod["metadata"]["name"].startswith("debug-")]


def test_importing_it_loads_neither_a_server_nor_what_may_be_missing() -> None:
    script = "import sys, sampan.sdk; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not [
        name for name in loaded if name in HEAVY or name.startswith(tuple(f"{each}." for each in HEAVY))
    ]


def test_without_a_server_it_says_how_to_start_one(tmp_path: Path) -> None:
    script = "from sampan.sdk import Client\ntry: Client()\nexcept RuntimeError as error: print(error)"
    env = {**os.environ, "SAMPAN_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=env)
    assert done.stdout == f"no server is running with the home {tmp_path}: start one with `sampan up`\n"
