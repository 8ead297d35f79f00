"""Fetching the inputs of an attempt that may be given up meanwhile: the thread goes on, and leaves nothing.

Nobody waits for it, as a store may be away for long. Called in threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sampan.components.pipelines.engine.step_files import StepFiles, StepPaths


def fetch_if_wanted(
    files: StepFiles, paths: StepPaths, namespace: str, inputs: Sequence[str], is_wanted: Callable[[], bool]
) -> list[str]:
    """As `StepFiles.fetch`. Whoever gives it up says so by `is_wanted`, and then removes what is there already."""
    try:
        return files.fetch(paths, namespace, inputs)
    finally:
        if not is_wanted():
            files.tidy(paths)
