"""The tuning worker as the server meets it: what crosses, who is harmed by whom, and that nothing is left behind."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psutil
import pytest

from sampan.components.tuning.api.observing import Metric
from sampan.components.tuning.api.suggesting import (
    FeasibleSpace,
    InvalidSettingsError,
    Objective,
    Parameter,
    Problem,
    SuggestingError,
    TrialRecord,
)
from sampan.components.tuning.engine import checking
from sampan.components.tuning.engine.builtin import BuiltIn
from sampan.components.tuning.engine.worker import messages
from sampan.components.tuning.engine.worker.messages import Request
from sampan.components.tuning.engine.worker.pool import Pool

_HOSTILE = f"{__name__}_algorithms"


def _problem(uid: str = "u1", algorithm: str = "tpe", **settings: str) -> Problem:
    return Problem(
        uid,
        "e",
        "ns",
        Objective("minimize", "loss"),
        (
            Parameter("lr", "double", FeasibleSpace("0.001", "0.1", distribution="logUniform")),
            Parameter("layers", "int", FeasibleSpace("1", "5")),
        ),
        algorithm=algorithm,
        settings=settings,
    )


def _trial(number: int, lr: str = "0.01", condition: str = "Succeeded") -> TrialRecord:
    value = str(number % 7)
    return TrialRecord(
        f"t{number}", {"lr": lr, "layers": "2"}, condition, {"loss": Metric("loss", value, "", "")}
    )


@asynccontextmanager
async def _pool(**options: float) -> AsyncIterator[Pool]:
    pool = Pool(**options)  # type: ignore[arg-type]
    try:
        yield pool
    finally:
        await pool.close()


def test_answers_are_the_same_from_a_worker_that_was_started_anew() -> None:
    async def main() -> None:
        trials = [_trial(number) for number in range(30)]
        async with _pool() as kept, _pool() as other:
            warm = BuiltIn(kept)
            for known in range(10, 30, 5):
                await warm.suggestions.suggest(_problem(), trials[:known], 2, known)
            told = [*trials[:-1], _trial(29, condition="Running")]
            await warm.suggestions.suggest(_problem(), told, 2, 32)
            again = await warm.suggestions.suggest(_problem(), trials, 3, 35)
            assert again == await BuiltIn(other).suggestions.suggest(_problem(), trials, 3, 35)
            assert len({each.parameters["lr"] for each in again.assignments}) == 3

    asyncio.run(main())


def test_importances_are_told_by_the_worker() -> None:
    async def main() -> None:
        async with _pool() as pool:
            trials = [_trial(number, lr=str(0.001 + number % 7 / 100)) for number in range(30)]
            found = await BuiltIn(pool).importances(_problem(), trials)
            assert found["importances"][0]["parameter"] == "lr"
            assert "size" in (await BuiltIn(pool).importances(_problem(), trials, "size"))["why"]

    asyncio.run(main())


def test_bad_settings_start_no_process() -> None:
    async def main() -> None:
        async with _pool() as pool:
            with pytest.raises(InvalidSettingsError, match="unknown setting depth for algorithm tpe"):
                await BuiltIn(pool).suggestions.validate(_problem(depth="1"))
            with pytest.raises(InvalidSettingsError, match="unknown algorithm name nothing"):
                await BuiltIn(pool).suggestions.suggest(_problem(algorithm="nothing"), [], 1, 1)
            assert pool.pid is None

    asyncio.run(main())


_ALGORITHMS = """
import os, signal, time
from sampan.components.tuning.api.suggesting import Answer, Assignment

class Hangs:
    def suggest(self, memory, problem, trials, count, asked):
        while True: time.sleep(1)

class Dies:
    def suggest(self, memory, problem, trials, count, asked):
        os.kill(os.getpid(), signal.SIGSEGV)

class Fails:
    def suggest(self, memory, problem, trials, count, asked):
        raise ZeroDivisionError("of all things")

class Says:
    def suggest(self, memory, problem, trials, count, asked):
        known = " ".join(each.name + each.condition[0] for each in trials)
        return Answer((Assignment({"pid": str(os.getpid()), "known": known}),))
"""


@pytest.fixture
def hostile(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of algorithms that the worker finds, and nobody else."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / f"{_HOSTILE.rpartition('.')[2]}.py").write_text(_ALGORITHMS)
    monkeypatch.setenv("PYTHONPATH", str(folder))


def _ask(name: str) -> Request:
    return Request(messages.SUGGEST, f"{_HOSTILE.rpartition('.')[2]}:{name}", _problem(), count=1, asked=1)


@pytest.mark.usefixtures("hostile")
def test_one_that_hangs_or_dies_says_so_and_harms_no_other() -> None:
    async def main() -> None:
        async with _pool() as pool:
            before = (await pool.ask("calm", _ask("Says"), ())).answer
            hung = asyncio.create_task(pool.ask("hung", _ask("Hangs"), ()))
            with pytest.raises(
                SuggestingError, match=r"was ended by signal 11 \(SIGSEGV\) while it was asked"
            ):
                await pool.ask("dying", _ask("Dies"), ())
            assert (await pool.ask("calm", _ask("Says"), ())).answer == before
            assert (await pool.ask("calm", _ask("Fails"), ())).failed == "ZeroDivisionError: of all things"
            hung.cancel()
            await asyncio.gather(hung, return_exceptions=True)
            assert (await pool.ask("hung", _ask("Says"), ())).answer is not None
            assert (await pool.ask("calm", _ask("Says"), ())).answer == before
        async with _pool(answer_seconds=0.5) as pool:
            with pytest.raises(SuggestingError, match=r"has not answered within 0\.5 s and was ended"):
                await pool.ask("hung", _ask("Hangs"), ())
            assert pool.processes == 0

    asyncio.run(main())


@pytest.mark.usefixtures("hostile")
def test_a_question_that_is_taken_back_as_its_process_dies_is_taken_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The template, which would say how it died, says nothing."""

    async def main() -> None:
        async with _pool() as pool:
            await pool.ask("one", _ask("Says"), ())
            ending, waits = pool._ending, asyncio.Event()

            async def noted_ending(session: Any) -> str:
                waits.set()
                return await ending(session)

            monkeypatch.setattr(pool, "_ending", noted_ending)
            assert pool.pid is not None
            (child,) = psutil.Process(pool.pid).children()
            os.kill(pool.pid, signal.SIGSTOP)
            try:
                asking = asyncio.create_task(pool.ask("one", _ask("Hangs"), ()))
                child.kill()
                await waits.wait()
                await asyncio.sleep(0)
                asking.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await asking
            finally:
                os.kill(pool.pid, signal.SIGCONT)

    asyncio.run(main())


@pytest.mark.usefixtures("hostile")
def test_only_news_cross_and_the_other_side_knows_all() -> None:
    async def main() -> None:
        async with _pool() as pool:

            async def known(trials: list[TrialRecord]) -> tuple[str, int]:
                request = _ask("Says")
                reply = await pool.ask("one", request, trials)
                assert reply.answer is not None
                return reply.answer.assignments[0].parameters["known"], len(request.trials)

            running = _trial(1, condition="Running")
            assert await known([_trial(0), running]) == ("t0S t1R", 2)
            assert await known([_trial(0), _trial(1), _trial(2)]) == ("t0S t1S t2S", 2)
            assert await known([_trial(0), _trial(1), _trial(2)]) == ("t0S t1S t2S", 0)
            assert await known([_trial(0), _trial(2)]) == ("t0S t2S", 2)
            assert await known([_trial(5), _trial(0), _trial(2)]) == ("t5S t0S t2S", 3)

    asyncio.run(main())


@pytest.mark.usefixtures("hostile")
def test_idle_processes_end_and_a_template_that_was_killed_is_replaced() -> None:
    async def main() -> None:
        async with _pool(idle_seconds=0.2) as pool:
            await pool.ask("one", _ask("Says"), ())
            first = pool.pid
            assert first is not None
            family = [psutil.Process(first), *psutil.Process(first).children()]
            await _gone(family)
            await pool.ask("one", _ask("Says"), ())
            second = pool.pid
            assert second not in (None, first)
            os.kill(second, signal.SIGKILL)
            family = [psutil.Process(second)] if psutil.pid_exists(second) else []
            with pytest.raises(SuggestingError):
                await pool.ask("one", _ask("Hangs"), ())
            assert (await pool.ask("one", _ask("Says"), ())).answer is not None
            await _gone(family)

    asyncio.run(main())


@pytest.mark.usefixtures("hostile")
def test_the_least_used_make_room() -> None:
    async def main() -> None:
        async with _pool(most=2) as pool:
            for name in ("one", "two", "three", "one"):
                await pool.ask(name, _ask("Says"), ())
                assert pool.processes <= 2

    asyncio.run(main())


@pytest.mark.usefixtures("hostile")
def test_nothing_outlives_a_server_that_is_killed() -> None:
    async def main() -> None:
        script = f'''
import asyncio, sys
from sampan.components.tuning.engine.worker.pool import Pool
from sampan.components.tuning.engine.worker.messages import Request
from sampan.components.tuning.api.suggesting import Objective, Problem

async def main():
    pool = Pool()
    def ask(name):
        problem = Problem("u", "e", "ns", Objective("minimize", "loss"), algorithm="x")
        return Request("suggest", "{_HOSTILE.rpartition(".")[2]}:" + name, problem, count=1, asked=1)
    reply = await pool.ask("calm", ask("Says"), ())
    print(pool.pid, reply.answer.assignments[0].parameters["pid"], flush=True)
    await pool.ask("hung", ask("Hangs"), ())

asyncio.run(main())
'''
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        pids = [int(each) for each in (await process.stdout.readline()).split()]
        template = psutil.Process(pids[0])
        while len(template.children()) < 2:
            await asyncio.sleep(0.01)
        family = [template, *template.children()]
        process.kill()
        await process.wait()
        await _gone(family)

    asyncio.run(main())


async def _gone(family: list[psutil.Process]) -> None:
    """Within the time of the test."""
    while any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in family):
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("check", ["check_question", "check_settings"])
def test_a_fault_of_a_check_is_told_as_one_of_the_algorithm(
    monkeypatch: pytest.MonkeyPatch, check: str
) -> None:
    """Else the experiment would wait without a word of why."""

    def faulty(_problem: Problem) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(checking, check, faulty)

    async def main() -> None:
        built_in = BuiltIn()
        asked = built_in.suggestions
        asking = (
            asked.suggest(_problem(), [], 1, 1) if check == "check_question" else asked.validate(_problem())
        )
        try:
            with pytest.raises(SuggestingError, match="tpe failed: ZeroDivisionError: division by zero"):
                await asking
        finally:
            await built_in.close()

    asyncio.run(main())
