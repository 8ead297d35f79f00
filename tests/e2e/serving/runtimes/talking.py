"""A model that answers whole requests, for tests of streams: it says its words one by one, and notes how it ended."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sampan.components.serving.engine.programs.modelserver.contract import (
    Metadata,
    ModelError,
    Source,
    Tensor,
)


class Talking:
    def __init__(self, source: Source) -> None:
        self.metadata = Metadata(source.name, "talking")
        self._notes = Path(source.folder) / "notes"

    async def v1(self, verb: str, body: Any, headers: Mapping[str, str]) -> Any:
        return self._words(body["words"], float(body.get("pause", 0)))

    async def v2(
        self, inputs: Sequence[Tensor], parameters: Mapping[str, Any], headers: Mapping[str, str]
    ) -> Sequence[Tensor]:
        # Each waits for the other: they are asked at a time.
        self._met = getattr(self, "_met", None) or asyncio.Barrier(2)
        await asyncio.wait_for(self._met.wait(), 10)
        return inputs

    async def openai(
        self, route: str, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> Mapping[str, Any] | AsyncIterator[bytes]:
        if route != "chat/completions":
            raise ModelError(f"there is no {route} here")
        if body.get("stream"):
            return self._words(["data: 1\n\n", "data: [DONE]\n\n"], 0)
        return {"object": "chat.completion", "model": body["model"]}

    def close(self) -> None:
        pass

    async def _words(self, words: list[str], pause: float) -> AsyncIterator[bytes]:
        end = "whole"
        try:
            for word in words:
                if word == "fail":
                    raise RuntimeError("it has no more words")
                yield word.encode()
                await asyncio.sleep(pause)
        except BaseException as problem:
            end = type(problem).__name__
            raise
        finally:
            with self._notes.open("a") as file:
                file.write(f"{end}\n")
                os.fsync(file.fileno())


def load(source: Source) -> Talking:
    return Talking(source)
