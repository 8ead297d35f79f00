"""What `remote_services` asks, spoken. The only module of the engine that imports gRPC; loaded by name.

Statuses become `InvalidSettingsError` where the service refuses the experiment, else `SuggestingError`, with the
service's own words.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from sampan.components.tuning.api import conversion
from sampan.components.tuning.api.messages import PACKAGE, message
from sampan.components.tuning.api.suggesting import (
    Answer,
    InvalidSettingsError,
    Problem,
    Rule,
    SuggestingError,
    TrialRecord,
)
from sampan.components.tuning.engine.remote_services import Patience

_MOST_BYTES = 64 * 1024 * 1024
_MOST_WORDS = 2000
_OPTIONS = (
    ("grpc.max_receive_message_length", _MOST_BYTES),
    # Names of Services are the cluster's, never a proxy's business; and one connection is not another's.
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
)
_REFUSALS = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNKNOWN)
_BUSY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)


async def validate_suggestions(address: str, problem: Problem, patience: Patience) -> None:
    request = message("ValidateAlgorithmSettingsRequest")(experiment=conversion.experiment_message(problem))
    await _validate(address, ("Suggestion", "ValidateAlgorithmSettings"), request, patience)


async def validate_early_stopping(address: str, problem: Problem, patience: Patience) -> None:
    fields = conversion.stopping_fields(problem)
    request = message("ValidateEarlyStoppingSettingsRequest")(early_stopping=fields)
    await _validate(address, ("EarlyStopping", "ValidateEarlyStoppingSettings"), request, patience)


async def suggest(
    address: str,
    patience: Patience,
    problem: Problem,
    trials: Sequence[TrialRecord],
    *,
    count: int,
    asked: int,
) -> Answer:
    request = message("GetSuggestionsRequest")(
        experiment=conversion.experiment_message(problem),
        trials=conversion.trial_messages(problem, trials),
        current_request_number=count,
        total_request_number=asked,
    )
    reply = await _asked(address, ("Suggestion", "GetSuggestions"), request, patience)
    answer = conversion.answer_from(reply)
    given = len(answer.assignments)
    if given > count or not given:
        raise SuggestingError(
            f"the suggestion service at {address} answered {given} assignments where {count} were asked for"
        )
    if given < count:
        waiting = f"the suggestion service at {address} answered {given} of {count} assignments"
        return Answer(answer.assignments, answer.settings, waiting_for=waiting)
    return answer


async def rules(
    address: str, patience: Patience, problem: Problem, trials: Sequence[TrialRecord], db_manager: str
) -> Sequence[Rule]:
    request = message("GetEarlyStoppingRulesRequest")(
        experiment=conversion.experiment_message(problem),
        trials=conversion.trial_messages(problem, trials),
        db_manager_address=db_manager,
    )
    reply = await _asked(address, ("EarlyStopping", "GetEarlyStoppingRules"), request, patience)
    return conversion.rules_from(reply)


async def _asked(address: str, method: tuple[str, str], request: Any, patience: Patience) -> Any:
    try:
        return await _call(address, method, request, patience, patience.seconds)
    except grpc.RpcError as error:
        raise _failure(address, method, error) from error


async def _validate(address: str, method: tuple[str, str], request: Any, patience: Patience) -> None:
    deadline = asyncio.get_running_loop().time() + patience.seconds
    for left in reversed(range(max(patience.tries, 1))):
        remaining = max(deadline - asyncio.get_running_loop().time(), 0.001)
        try:
            await _call(address, method, request, patience, remaining)
            return
        except grpc.RpcError as error:
            code = _code(error)
            if code is grpc.StatusCode.UNIMPLEMENTED:
                return
            if code in _REFUSALS:
                raise InvalidSettingsError(f"{method[1]} Error: {_words(error)}") from error
            if code not in _BUSY or not left or remaining <= patience.pause_seconds:
                raise _failure(address, method, error) from error
        await asyncio.sleep(patience.pause_seconds)


async def _call(
    address: str, method: tuple[str, str], request: Any, patience: Patience, seconds: float
) -> Any:
    """Raises grpc.RpcError.

    On a channel of its own, and at once when the connection fails: who asks has a back-off, and gRPC's stays out of it.
    """
    service, name = method

    def read(data: bytes) -> Any:
        try:
            return message(f"{name}Reply").FromString(data)
        except DecodeError as error:
            raise SuggestingError(
                f"the service at {address} answered {name} with what is no message of Katib's"
            ) from error

    # So is the limit of an attempt to connect called.
    limit = ("grpc.min_reconnect_backoff_ms", max(int(patience.connect_seconds * 1000), 1))
    async with grpc.aio.insecure_channel(address, options=(*_OPTIONS, limit)) as channel:
        # Replies are read here: an error in the library's own reader would only reach its log.
        ask: Any = channel.unary_unary(
            f"/{PACKAGE}.{service}/{name}",
            request_serializer=lambda each: each.SerializeToString(),
            response_deserializer=None,
        )
        return read(await ask(request, timeout=seconds))


def _failure(address: str, method: tuple[str, str], error: grpc.RpcError) -> SuggestingError:
    code = _code(error)
    if code is grpc.StatusCode.UNAVAILABLE:
        return SuggestingError(f"the {method[0]} service at {address} cannot be reached: {_words(error)}")
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return SuggestingError(f"the {method[0]} service at {address} did not answer {method[1]} in time")
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return SuggestingError(
            f"the service at {address} has no method {method[1]} of api.v1.beta1.{method[0]}"
        )
    name = code.name if code is not None else "UNKNOWN"
    return SuggestingError(
        f"the {method[0]} service at {address} failed at {method[1]}: {name}: {_words(error)}"
    )


def _code(error: grpc.RpcError) -> grpc.StatusCode | None:
    return error.code() if isinstance(error, grpc.aio.AioRpcError) else None


def _words(error: grpc.RpcError) -> str:
    found = error.details() if isinstance(error, grpc.aio.AioRpcError) else str(error)
    return (found or "it gave no reason")[:_MOST_WORDS]
