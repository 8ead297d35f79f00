"""A window that is used for long: neither the browser's memory nor the server's grows with it."""

from __future__ import annotations

import psutil
import pytest
from pages import shown
from playwright.sync_api import Page

from sampan.testing.server import ServerProcess

ROUNDS = 60
PAGES = ("Runs", "Pods", "Jobs", "Home")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_going_about_for_long_costs_nothing_that_stays(page: Page, server: ServerProcess) -> None:
    devtools = page.context.new_cdp_session(page)
    assert server.process is not None
    process = psutil.Process(server.process.pid)

    def go_about(times: int) -> None:
        for _ in range(times):
            for name in PAGES:
                page.locator(".sp-nav").get_by_role("link", name=name, exact=True).click()
                shown(page, name)

    def used() -> tuple[float, int, float]:
        devtools.send("HeapProfiler.collectGarbage")
        heap = devtools.send("Runtime.getHeapUsage")["usedSize"] / 2**20
        nodes = devtools.send("Memory.getDOMCounters")["nodes"]
        return heap, nodes, process.memory_full_info().uss / 2**20

    go_about(15)
    heap, nodes, server_mib = used()
    go_about(ROUNDS)
    later_heap, later_nodes, later_server_mib = used()
    assert later_nodes < nodes * 1.2 + 200
    assert later_heap - heap < 4
    assert later_server_mib - server_mib < 12
