"""Texts written together, a token of each at a time: one thread, one pass for all that are being written.

Batching by iteration (Yu et al., "Orca", OSDI 2022, section 3.1): a text comes in when its prompt has been read, and
leaves when it is done; nobody waits for the longest. A long prompt is read in parts, each between two passes, so that
those which are being written go on.
"""

from __future__ import annotations

import importlib
import threading
from collections import deque
from typing import Any

from sampan.components.serving.engine.programs.modelserver.runtimes.language.batch import (
    Abilities,
    Batch,
    Reading,
    layers_of,
)
from sampan.components.serving.engine.programs.modelserver.runtimes.language.prefixes import Prefixes
from sampan.components.serving.engine.programs.modelserver.runtimes.language.rows import Row

_PART = 128
"""How many tokens of a prompt are read between two passes."""
_PART_ALONE = 1024
"""Where nobody waits: so many between two looks at whether the client is still there."""


class Steps:
    def __init__(self, model: Any, at_a_time: int, abilities: Abilities) -> None:
        self._torch = importlib.import_module("torch")
        self._batch, self._at_a_time = Batch(model), at_a_time
        self._model, self._abilities = model, abilities
        self._prefixes = Prefixes()
        self._reading: tuple[Row, Reading] | None = None
        self._waiting: deque[Row] = deque()
        self._rows: list[Row] = []
        self._changed = threading.Condition()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="steps", daemon=True)
        self._thread.start()

    def submit(self, row: Row) -> None:
        with self._changed:
            self._waiting.append(row)
            self._changed.notify()

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify()

    @property
    def running(self) -> int:
        return len(self._rows) + (self._reading is not None)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def remembered(self) -> int:
        """Tokens of texts that are being written."""
        return sum(self._batch.lengths)

    def _run(self) -> None:
        with self._torch.inference_mode():
            while self._wait():
                try:
                    self._admit()
                    self._step()
                except Exception as problem:
                    self._start_anew(problem)

    def _wait(self) -> bool:
        """Until there is something to write; False at the end."""
        with self._changed:
            while not (self._waiting or self._rows or self._reading or self._is_closed):
                self._changed.wait()
            return not self._is_closed

    def _admit(self) -> None:
        """One at a time: those that are being written wait for no more than a part of one prompt."""
        if self._reading is not None and self._reading[0].is_over:
            self._reading = None
        if self._reading is None and not self._begin():
            return
        assert self._reading is not None
        row, reading = self._reading
        most = (_PART if self._rows else _PART_ALONE) if self._abilities.reads_in_parts else 0
        try:
            logits = self._batch.read(reading, most)
            if logits is None:
                return
            if self._abilities.reads_in_parts:
                self._prefixes.put(reading.prompt, layers_of(reading.past))
            self._batch.join(reading)
        except Exception as problem:
            self._reading = None
            row.fail(problem)
            return
        self._reading = None
        self._rows.append(row)
        self._advance(row, logits)
        self._drop()

    def _begin(self) -> bool:
        """Whether there is a prompt to read."""
        with self._changed:
            while self._waiting and self._waiting[0].is_over:
                self._waiting.popleft()
            if not self._waiting or len(self._rows) >= self._at_a_time:
                return False
            row = self._waiting.popleft()
        try:
            known = self._prefixes.longest(row.prompt) if self._abilities.reads_in_parts else None
            self._reading = row, self._batch.begin(row.prompt, known)
        except Exception as problem:
            row.fail(problem)
        return self._reading is not None

    def _step(self) -> None:
        self._drop()
        if not self._rows:
            return
        logits = self._batch.step([row.tokens[-1] for row in self._rows])
        for row, own in zip(self._rows, logits, strict=True):
            self._advance(row, own)
        self._drop()

    def _advance(self, row: Row, logits: Any) -> None:
        try:
            row.accept(row.choose(logits))
        except Exception as problem:
            row.fail(problem)

    def _drop(self) -> None:
        places = [place for place, row in enumerate(self._rows) if not row.is_over]
        if len(places) < len(self._rows):
            self._rows = [self._rows[place] for place in places]
            self._batch.keep(places)

    def _start_anew(self, problem: Exception) -> None:
        """A pass that failed, such as for want of memory, is the end of the texts in it and of no others."""
        for row in self._rows:
            row.fail(problem)
        self._rows = []
        self._batch = Batch(self._model)
