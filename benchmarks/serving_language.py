"""Language models: tokens a second and the time to the first, at one and at eight streams, beside plain `generate`.

A model of 25 million random weights on the CPU. `generate` writes one text after the other, as a server around it
would, and all eight as one batch that begins and ends together; ours are streams over HTTP. A last row: how long the
others pause while a prompt of two thousand tokens comes in.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import itertools
import json
import os
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from harness import table

from sampan.cluster.node.environments import Environments
from sampan.cluster.node.environments.programs import package_folder
from sampan.testing.homes import home_with_frameworks
from sampan.testing.model_servers import serving

PLAIN = Path(__file__).with_name("servers") / "plain_generate.py"
PROMPT = "the quick brown fox " * 12


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokens", type=int, default=64)
    tokens = parser.parse_args().tokens
    with tempfile.TemporaryDirectory(prefix="sampan-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        python = asyncio.run(_python(home_with_frameworks(folder / "home")))
        model = str(folder / "model")
        subprocess.run([python, str(PLAIN), "make", model], check=True, capture_output=True)
        plain = {streams: _plain(python, model, tokens, streams) for streams in (1, 8)}
        package = package_folder(folder / "programs", "serving")
        words = ("--runtime=huggingface", "--model_name=m", f"--model_dir={model}")
        how = {
            "python": python,
            "module": "sampan_serving.modelserver",
            "environ": {"PYTHONPATH": str(package)},
        }
        with serving(folder, *words, **how) as server:
            _stream(server.port, PROMPT, 4)
            ours = {streams: _ours(server.port, tokens, streams) for streams in (1, 8)}
            pause = _pause(server.port)
    rows = []
    for streams in (1, 8):
        own, other = ours[streams], plain[streams]
        rows.append(
            _row(f"{streams} stream(s), ours", own["rate"], own["first"], own["rate"] / other["rate"])
        )
        rows.append(_row(f"{streams} stream(s), generate by turns", other["rate"], other["first"], 1.0))
    batch = plain[8]["batch_rate"]
    rows.append(
        ("8 texts, generate as one batch", f"{batch:.0f} tokens/s", f"ours {ours[8]['rate'] / batch:.2f}")
    )
    rows.append(
        (
            "longest pause of 4 streams, a long prompt coming in",
            f"{pause[1] * 1000:.0f} ms",
            f"median {pause[0] * 1000:.0f} ms",
        )
    )
    table(f"language model, load {os.getloadavg()[0]:.1f}", rows)


async def _python(home: Path) -> str:
    environments = Environments(home)
    try:
        return str((await environments.for_image("kserve/huggingfaceserver:v0.20.0")).python)
    finally:
        await environments.close()


def _row(name: str, rate: float, first: float, ratio: float) -> tuple[str, str, str]:
    return name, f"{rate:.0f} tokens/s", f"first after {first * 1000:.0f} ms; ratio {ratio:.2f}"


def _plain(python: str, model: str, tokens: int, streams: int) -> dict[str, float]:
    command = [python, str(PLAIN), "write", model, PROMPT, str(tokens), str(streams)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _stream(port: int, prompt: str, tokens: int) -> list[float]:
    """When each piece came, from the request on."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    body = {
        "model": "m", "prompt": prompt, "max_tokens": tokens, "stream": True, "ignore_eos": True,
        "temperature": 0, "logprobs": 0,
    }  # fmt: skip
    begin = time.perf_counter()
    connection.request("POST", "/v1/completions", json.dumps(body))
    answer, found = connection.getresponse(), []
    while line := answer.readline():
        if line.startswith(b"data: {"):
            found.append(time.perf_counter() - begin)
    connection.close()
    return found


def _together(port: int, tokens: int, streams: int, also: Any = None) -> list[list[float]]:
    found: list[list[float]] = []
    threads = [
        # Each begins otherwise, so that none finds its prompt read already.
        threading.Thread(
            target=lambda n=each: found.append(_stream(port, f"{n} {time.time()} {PROMPT}", tokens))
        )
        for each in range(streams)
    ]
    for each in threads:
        each.start()
    if also is not None:
        also()
    for each in threads:
        each.join()
    return found


def _ours(port: int, tokens: int, streams: int) -> dict[str, float]:
    begin = time.perf_counter()
    found = _together(port, tokens, streams)
    seconds = time.perf_counter() - begin
    firsts = [each[0] for each in found]
    return {"rate": streams * tokens / seconds, "first": statistics.median(firsts)}


def _pause(port: int) -> tuple[float, float]:
    """Median and longest time between two pieces of streams while a long prompt is read."""
    long = " ".join(str(each) for each in range(700))
    found = _together(port, 96, 4, lambda: (time.sleep(0.5), _stream(port, long, 1)))
    gaps = [after - before for each in found for before, after in itertools.pairwise(each)]
    return statistics.median(gaps), max(gaps)


main()
