"""Built-in algorithms asked over gRPC by whoever may."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from sampan.components.tuning.api.messages import message
from sampan.components.tuning.api.suggesting import Answer
from sampan.components.tuning.rest.algorithm_services import AlgorithmServices
from sampan.components.tuning.rest.grpc_callers import Caller


class Slow:
    """Answers once it is let."""

    def __init__(self) -> None:
        self.asked, self.may = 0, asyncio.Event()

    async def suggest(self, *_question: Any) -> Answer:
        self.asked += 1
        await self.may.wait()
        return Answer()


class Anybody:
    async def of(self, _call: Any) -> Caller:
        return Caller("team")


def test_many_questions_are_not_as_many_processes() -> None:
    async def main() -> None:
        slow = Slow()
        algorithms = SimpleNamespace(suggestions=slow)
        sources = SimpleNamespace(client=None, clock=None, observations=None, algorithms=lambda: algorithms)
        services = AlgorithmServices(cast(Any, sources), cast(Any, Anybody()))
        spec = {
            "objective": {"type": "MINIMIZE", "objective_metric_name": "loss"},
            "algorithm": {"algorithm_name": "random"},
        }

        def request(name: str) -> Any:
            return message("GetSuggestionsRequest")(
                experiment={"name": name, "spec": spec}, current_request_number=1
            )

        asking = [
            asyncio.create_task(services.suggest(request(f"e{at}"), cast(Any, None))) for at in range(40)
        ]
        for _ in range(50):
            await asyncio.sleep(0)
        assert 1 <= slow.asked <= 8
        slow.may.set()
        await asyncio.gather(*asking)
        assert slow.asked == 40

    asyncio.run(main())
