"""Users' services over gRPC: a server of the test's own answers, at a port of the machine."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from sampan.components.tuning.api.messages import message
from sampan.components.tuning.api.observing import MetricLog
from sampan.components.tuning.api.suggesting import (
    FeasibleSpace,
    InvalidSettingsError,
    Objective,
    Parameter,
    Problem,
    Rule,
    SuggestingError,
)
from sampan.components.tuning.engine.remote_services import Patience, RemoteEarlyStopping, RemoteSuggestions
from sampan.testing import grpc_servers
from sampan.testing.connections import Listener

Answering = Callable[[Any, grpc.aio.ServicerContext], Awaitable[Any]]
PROBLEM = Problem(
    uid="u",
    name="e",
    namespace="n",
    objective=Objective("maximize", "accuracy"),
    parameters=(Parameter("lr", "double", FeasibleSpace("0", "1")),),
    algorithm="mine",
    settings={"depth": "3"},
    early_stopping="stopper",
)
SHORT = Patience(seconds=60, tries=2, pause_seconds=0.05)


async def no_log(*_: str) -> list[MetricLog]:
    raise AssertionError("remote services read logs themselves")


def runs(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(**arguments: Any) -> None:
        asyncio.run(test(**arguments))

    return run


@asynccontextmanager
async def listening(says: bytes) -> AsyncIterator[str]:
    """The address of one that says so to whoever connects, and hangs up after it; with no words it says nothing,
    ever."""

    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(says)
        if not says:
            await asyncio.get_running_loop().create_future()

    there = await Listener(answer).start()
    try:
        yield there.address
    finally:
        await there.stop()


@asynccontextmanager
async def serving(service: str, **methods: Answering) -> Any:
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(
            answer, message(f"{name}Request").FromString, lambda each: each.SerializeToString()
        )
        for name, answer in methods.items()
    }
    handler = grpc.method_handlers_generic_handler(f"api.v1.beta1.{service}", handlers)
    async with grpc_servers.serving(handler) as port:
        yield f"127.0.0.1:{port}"


def giving(count: int) -> Answering:
    async def answer(request: Any, context: Any) -> Any:
        assert request.experiment.spec.algorithm.algorithm_settings[0].name == "depth"
        assert (request.current_request_number, request.total_request_number) == (3, 5)
        one = {"assignments": [{"name": "lr", "value": "0.5"}]}
        return message("GetSuggestionsReply")(parameter_assignments=[one] * count)

    return answer


def refusing(code: grpc.StatusCode, words: str, times: int = 1000) -> Answering:
    left = [times]

    async def answer(request: Any, context: grpc.aio.ServicerContext) -> Any:
        left[0] -= 1
        if left[0] >= 0:
            await context.abort(code, words)
        return message("ValidateAlgorithmSettingsReply")()

    return answer


@runs
async def test_assignments_come_from_the_service() -> None:
    async with serving("Suggestion", GetSuggestions=giving(3)) as address:
        answer = await RemoteSuggestions(address).suggest(PROBLEM, [], 3, 5)
    assert [each.parameters for each in answer.assignments] == [{"lr": "0.5"}] * 3
    assert not answer.waiting_for


@pytest.mark.parametrize("count", [0, 4])
@runs
async def test_nothing_or_too_much_is_an_error_that_says_so(count: int) -> None:
    async with serving("Suggestion", GetSuggestions=giving(count)) as address:
        with pytest.raises(SuggestingError, match=f"answered {count} assignments where 3 were asked for"):
            await RemoteSuggestions(address).suggest(PROBLEM, [], 3, 5)


@runs
async def test_fewer_are_taken_and_it_is_said() -> None:
    async with serving("Suggestion", GetSuggestions=giving(2)) as address:
        answer = await RemoteSuggestions(address).suggest(PROBLEM, [], 3, 5)
    assert len(answer.assignments) == 2
    assert "2 of 3" in answer.waiting_for


@runs
async def test_a_service_that_fails_is_named_with_its_words() -> None:
    refuses = refusing(grpc.StatusCode.UNKNOWN, "Exception calling application: no such table")
    async with serving("Suggestion", GetSuggestions=refuses) as address:
        with pytest.raises(SuggestingError, match=r"GetSuggestions: UNKNOWN: .*no such table") as caught:
            await RemoteSuggestions(address).suggest(PROBLEM, [], 3, 5)
    assert address in str(caught.value)


@pytest.mark.parametrize("code", [grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.UNKNOWN])
@runs
async def test_a_refusal_is_the_experiments_fault(code: grpc.StatusCode) -> None:
    async with serving(
        "Suggestion", ValidateAlgorithmSettings=refusing(code, "depth must be odd")
    ) as address:
        with pytest.raises(InvalidSettingsError, match="ValidateAlgorithmSettings Error: depth must be odd"):
            await RemoteSuggestions(address, SHORT).validate(PROBLEM)


@runs
async def test_a_service_that_does_not_validate_finds_all_valid() -> None:
    async with serving("Suggestion", GetSuggestions=giving(3)) as address:
        await RemoteSuggestions(address, SHORT).validate(PROBLEM)
        await RemoteEarlyStopping(address, SHORT).validate(PROBLEM)


@runs
async def test_a_service_that_is_still_starting_is_asked_again() -> None:
    starting = refusing(grpc.StatusCode.UNAVAILABLE, "loading", times=1)
    async with serving("Suggestion", ValidateAlgorithmSettings=starting) as address:
        await RemoteSuggestions(address, SHORT).validate(PROBLEM)
    async with serving(
        "Suggestion", ValidateAlgorithmSettings=refusing(grpc.StatusCode.UNAVAILABLE, "loading")
    ) as address:
        with pytest.raises(SuggestingError, match="cannot be reached: loading"):
            await RemoteSuggestions(address, SHORT).validate(PROBLEM)


@runs
async def test_nobody_there_is_said() -> None:
    for asking in (
        RemoteSuggestions("127.0.0.1:9", SHORT).suggest(PROBLEM, [], 1, 1),
        RemoteSuggestions("127.0.0.1:9", SHORT).validate(PROBLEM),
        RemoteEarlyStopping("127.0.0.1:9", SHORT).rules(PROBLEM, [], no_log),
    ):
        with pytest.raises(SuggestingError, match=r"at 127\.0\.0\.1:9 cannot be reached"):
            await asking


@runs
async def test_a_service_that_hangs_is_given_up() -> None:
    async def hang(request: Any, context: Any) -> Any:
        await asyncio.sleep(60)

    async with serving("Suggestion", GetSuggestions=hang) as address:
        with pytest.raises(SuggestingError, match="did not answer GetSuggestions in time"):
            await RemoteSuggestions(address, Patience(seconds=0.2)).suggest(PROBLEM, [], 1, 1)


@runs
async def test_who_listens_and_never_greets_is_given_up_before_the_question_is() -> None:
    """As a port whose program is stuck: gRPC by itself would wait 20 seconds."""
    async with listening(b"") as address:
        patience = Patience(seconds=600, connect_seconds=0.1)
        async with asyncio.timeout(15):
            with pytest.raises(SuggestingError, match=f"at {address} cannot be reached: .*timed out"):
                await RemoteSuggestions(address, patience).suggest(PROBLEM, [], 1, 1)


@runs
async def test_something_else_that_listens_is_no_service() -> None:
    async with listening(b"HTTP/1.1 400 Bad Request\r\n\r\n") as address:
        with pytest.raises(SuggestingError, match=address):
            await RemoteSuggestions(address, SHORT).suggest(PROBLEM, [], 1, 1)


@runs
async def test_an_answer_that_is_no_message_is_said() -> None:
    methods = {"GetSuggestions": grpc.unary_unary_rpc_method_handler(_garbage)}
    handler = grpc.method_handlers_generic_handler("api.v1.beta1.Suggestion", methods)
    async with grpc_servers.serving(handler) as port:
        with pytest.raises(SuggestingError, match="no message of Katib's"):
            await RemoteSuggestions(f"127.0.0.1:{port}", SHORT).suggest(PROBLEM, [], 1, 1)


@runs
async def test_rules_of_early_stopping() -> None:
    async def rules(request: Any, context: Any) -> Any:
        assert request.db_manager_address == "katib-db-manager.kubeflow:6789"
        rule = {"name": "accuracy", "value": "0.7", "comparison": "LESS", "start_step": 4}
        return message("GetEarlyStoppingRulesReply")(early_stopping_rules=[rule])

    async with serving("EarlyStopping", GetEarlyStoppingRules=rules) as address:
        assert await RemoteEarlyStopping(address).rules(PROBLEM, [], no_log) == (
            Rule("accuracy", "0.7", "less", 4),
        )


async def _garbage(request: bytes, context: Any) -> bytes:
    return b"\xff\xff\xff\xff"
