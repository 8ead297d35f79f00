"""What comes while a request begins or ends: nothing is kept for one that is over, or from the one after it."""

from __future__ import annotations

from typing import Any

import pytest

from sampan.components.serving.api.routing import Rule
from sampan.components.serving.controller.gateway.core import Nowhere
from sampan.components.serving.controller.gateway.exchange import Exchange
from sampan.testing.gateways import HOST, Rig, backend, request
from sampan.web.interception import Head


class Slow(Nowhere):
    """The connection of a client that reads nothing for now."""

    exchange: Exchange

    def write(self, data: bytes) -> None:
        self.exchange.pause_writing()


def test_a_pods_connection_is_read_again_after_an_answer_to_a_slow_client(run: Any) -> None:
    """Whoever got it next was told that the server did not answer."""

    async def test(rig: Rig) -> None:
        server, one = await rig.server(), backend()
        rig.route(one, timeout_seconds=5)
        rig.pod(one, server)
        wire, host = Slow(), HOST.encode()
        head = Head(b"GET", b"/", "1.1", [(b"host", host)], host, "127.0.0.1", False, True)
        slow = wire.exchange = rig.door.exchange(head, wire)  # type: ignore[assignment]
        slow.start()
        await rig.noted(1)
        answer = await (await rig.client()).ask(request())
        assert (answer.status, server.connections) == (200, 1)

    run(test)


@pytest.mark.parametrize("has_pod", [True, False])
def test_a_copy_of_a_request_that_is_refused_at_once_takes_no_room(run: Any, has_pod: bool) -> None:
    """It began after its end, and never gave back what it got."""

    async def test(rig: Rig) -> None:
        one, shadow = backend("one", scaled=False), backend("shadow", container_concurrency=1)
        rig.route(rules=(Rule((one,), shadows=(shadow,)),))
        if has_pod:
            rig.pod(shadow, await rig.server())
        client = await rig.client()
        client.writer.write(f"POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 5\r\n\r\nabc".encode())
        assert (await client.read()).status == 503
        pool = rig.core.pool(shadow)
        assert not any(member.in_flight for member in pool.members.values())
        assert not pool.waiting
        assert not rig.core.meter.waiting()

    run(test)
