"""Users' own suggestion and early stopping services, asked over gRPC: `SuggestionService` and `EarlyStoppingService`.

Light: what speaks gRPC (`grpc_calls`, some thirty megabytes) loads with the first question. How long is waited and
what is tried again is as upstream: kubeflow/katib 0.19
pkg/controller.v1beta1/suggestion/suggestionclient/suggestionclient.go.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sampan.components.tuning.api.suggesting import (
    Answer,
    Problem,
    ReadLog,
    Rule,
    SuggestingError,
    TrialRecord,
)

_CALLS = "sampan.components.tuning.engine.grpc_calls"
DB_MANAGER = "katib-db-manager.kubeflow:6789"
"""Where services of users read observations, as pods name it."""


@dataclass(frozen=True, slots=True)
class Patience:
    seconds: float = 60.0
    """For one question, its tries together."""
    connect_seconds: float = 5.0
    """Until whoever listens there has greeted. gRPC would give it 20 before it says that nobody answers."""
    tries: int = 10
    """Of validations while nobody listens there: a service may be starting."""
    pause_seconds: float = 3.0


class RemoteSuggestions:
    """For one event loop. `address` is HOST:PORT; a connection lives for one question."""

    def __init__(self, address: str, patience: Patience | None = None) -> None:
        self._address = address
        self._patience = patience or Patience()

    async def validate(self, problem: Problem) -> None:
        """Raises InvalidSettingsError, SuggestingError. A service that does not validate finds everything valid."""
        calls = await _calls()
        await calls.validate_suggestions(self._address, problem, self._patience)

    async def suggest(
        self, problem: Problem, trials: Sequence[TrialRecord], count: int, asked: int
    ) -> Answer:
        """Raises SuggestingError, also for an answer that gives more than was asked for, or nothing."""
        calls = await _calls()
        answer: Answer = await calls.suggest(
            self._address, self._patience, problem, trials, count=count, asked=asked
        )
        return answer


class RemoteEarlyStopping:
    """For one event loop. `address` is HOST:PORT."""

    def __init__(self, address: str, patience: Patience | None = None, db_manager: str = DB_MANAGER) -> None:
        self._address = address
        self._patience = patience or Patience()
        self._db_manager = db_manager

    async def validate(self, problem: Problem) -> None:
        """As of `RemoteSuggestions`."""
        calls = await _calls()
        await calls.validate_early_stopping(self._address, problem, self._patience)

    async def rules(self, problem: Problem, trials: Sequence[TrialRecord], read: ReadLog) -> Sequence[Rule]:
        """Raises SuggestingError. Such a service reads logs itself, of the DB manager."""
        calls = await _calls()
        rules: Sequence[Rule] = await calls.rules(
            self._address, self._patience, problem, trials, self._db_manager
        )
        return rules


async def _calls() -> Any:
    try:
        return await asyncio.to_thread(importlib.import_module, _CALLS)
    except ImportError as error:
        raise SuggestingError(f"gRPC cannot be spoken here: {error}; install grpcio") from error
