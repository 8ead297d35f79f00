"""How a journey runs in the interpreter of a client: each check by itself, a line for each, what failed told in full.

Imports nothing but the standard library: it stands beside clients that have nothing of ours.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

Check = Callable[..., Any]


class Journey:
    """Decorate the checks with the journey, then `run` it with what each is given."""

    def __init__(self, client: str) -> None:
        self.client = client
        self.checks: list[Check] = []

    def __call__(self, check: Check) -> Check:
        self.checks.append(check)
        return check

    def run(self, *given: Any) -> int:
        """The exit code. In one event loop where the checks are asynchronous."""
        return asyncio.run(self.run_in_loop(*given))

    async def run_in_loop(self, *given: Any) -> int:
        failed = 0
        only = sys.argv[2:]
        for check in self.checks:
            name = check.__name__.replace("_", " ").strip()
            if only and not any(word in name for word in only):
                continue
            try:
                answer = check(*given)
                if inspect.isawaitable(answer):
                    await answer
            except Exception:
                failed += 1
                print(f"FAILED {self.client}: {name}\n{traceback.format_exc()}", flush=True)
            else:
                print(f"ok     {self.client}: {name}", flush=True)
        print(f"the journey of {self.client} is over: {len(self.checks) - failed} of {len(self.checks)}")
        return 1 if failed else 0


def refused(call: Callable[[], Any], status: int, *words: str) -> Any:
    """The error with which `call` was refused, of any client that says the code in `status` or `code`."""
    try:
        call()
    except Exception as error:
        judge(error, status, *words)
        return error
    raise AssertionError(f"should have been refused with {status}")


async def refused_later(call: Any, status: int, *words: str) -> Any:
    try:
        await call
    except Exception as error:
        judge(error, status, *words)
        return error
    raise AssertionError(f"should have been refused with {status}")


def judge(error: Exception, status: int, *words: str) -> None:
    answered = getattr(error, "status", None)
    if not isinstance(answered, int):
        answered = getattr(answered, "code", None) or getattr(error, "code", None)
        response = getattr(error, "response", None)
        answered = answered or getattr(response, "status_code", None)
    if answered != status:
        raise error
    told = f"{error} {getattr(error, 'body', '')}"
    assert all(word in told for word in words), told


def until(condition: Callable[[], Any], seconds: float = 60) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"{inspect.getsource(condition).strip()} has not come in {seconds} s")
        time.sleep(0.1)
    return found
