"""The dashboard: what a user waits for, and what tabs cost the server. Needs Chromium: `dashboard.py [NAME…]`."""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil
import scale
from harness import server, table
from planted_trials import planted
from playwright.sync_api import Page, sync_playwright
from tabs import Tabs

from sampan.testing import pipelines
from sampan.testing.server import ServerProcess

_CHROMIUM = os.environ.get("SAMPAN_TEST_CHROMIUM") or shutil.which("chromium") or "chromium"

_PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
_IN_VIEW = """() => {
  const boxes = [...document.querySelectorAll(".tu-charts .sp-chart-box")];
  const isDone = (box) => box.getBoundingClientRect().top > innerHeight || box.firstElementChild;
  return boxes.length > 4 && boxes.every(isDone);
}"""
_ALL = _IN_VIEW.replace("innerHeight", "1e6")
_CLICK = """([selector, title]) => new Promise((resolve) => {
  const begun = performance.now();
  const look = () => {
    if (document.querySelector(".sp-content h1")?.textContent !== title) return false;
    // Once it is painted.
    requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - begun)));
    return true;
  };
  const observer = new MutationObserver(() => look() && observer.disconnect());
  observer.observe(document.body, { subtree: true, childList: true, characterData: true });
  document.querySelector(selector).click();
})"""


def paint() -> None:
    """The list of 100,000 runs, and a run of 2,000 tasks: from the address to what it shows."""
    rows = []
    with scale.filled(100_000) as it, browser() as page:
        page.goto(it.url + "/ui/")
        page.wait_for_selector(".sp-content h1")
        rows += _painted(page, "100,000 runs", it.url + "/ui/runs", ".sp-table tbody tr")
    with server() as it, browser() as page:
        run_id = _big_run(it)
        page.goto(it.url + "/ui/")
        page.wait_for_selector(".sp-content h1")
        rows += _painted(
            page, "a run of 2,000 tasks", f"{it.url}/ui/runs/{run_id}", ".sp-g-view [role=treeitem]"
        )
    table("first paint, at most 1,000 ms", rows)


def trials() -> None:
    """An experiment of 10,000 trials: from the address to what it shows."""
    rows = []
    with planted(10_000) as it, browser() as page:
        page.goto(it.url + "/ui/")
        page.wait_for_selector(".sp-content h1")
        address = it.url + "/ui/tuning/experiments/default/large"
        rows += _painted(page, "its trials", f"{address}?tab=trials", ".tu-trials tbody tr")
        rows += _painted(page, "the history", f"{address}?tab=charts&charts=history", ".sp-chart canvas")
        five = f"{address}?tab=charts&charts=history,coordinates,slices,contour,distribution"
        rows += _painted(page, "five charts, those in view", five, _IN_VIEW)
        rows += _painted(page, "five charts, all of them", five, _ALL)
    table("10,000 trials, at most 1,000 ms", rows)


def click() -> None:
    """From one page to another and back, by their links."""
    rows = []
    with scale.filled(10_000) as it, browser() as page:
        page.goto(it.url + "/ui/")
        page.wait_for_selector(".sp-content h1")
        for title, path in (("Runs", "/ui/runs"), ("Pipelines", "/ui/pipelines"), ("Home", "/ui/")):
            taken = []
            for _ in range(7):
                taken.append(page.evaluate(_CLICK, [f'.sp-nav a[href="{path}"]', title]))
                page.evaluate(_CLICK, ['.sp-nav a[href="/ui/experiments"]', "Experiments"])
            rows.append((f"to {title}", f"{statistics.median(taken):.0f} ms", f"worst {max(taken):.0f}"))
    table("a click, at most 100 ms", rows)


def tabs() -> None:
    """50 tabs at a live run: what they add to the server's work, and to its memory."""
    with server() as it:
        spec = pipelines.fan_out(80, sleep=True, parallelism=4)
        it.wait_run(it.submit(pipelines.fan_out(4)), timeout=300)
        alone, _ = _work(it, spec, lambda run_id: None)
        with_tabs, received = _work(it, spec, lambda run_id: Tabs(it.url, f"/ui/runs/{run_id}", 50))
        run_id = _big_run(it)
        assert it.process is not None
        process = psutil.Process(it.process.pid)
        with Tabs(it.url, f"/ui/runs/{run_id}", 3).open():
            time.sleep(2)
        before = process.memory_full_info().uss
        with Tabs(it.url, f"/ui/runs/{run_id}", 50).open():
            time.sleep(5)
            each = (process.memory_full_info().uss - before) / 50 / 2**20
    table(
        "50 tabs at one run",
        [
            ("cores, a live run of 80 steps, no tab", f"{alone:.2f}", "the run's own work"),
            ("cores, with 50 tabs", f"{with_tabs:.2f}", ""),
            ("cores, by the tabs", f"{with_tabs - alone:.2f}", "at most 0.5"),
            ("what came to each tab while it ran", f"{received / 50 / 1024:.0f} KiB", ""),
            ("memory of a tab at a run of 2,000 tasks", f"{each:.1f} MiB", "at most 5"),
        ],
    )


@contextmanager
def browser() -> Iterator[Page]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=_CHROMIUM, args=["--no-sandbox", "--disable-background-networking"]
        )
        page = found.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(60_000)
        yield page
        found.close()


def _painted(page: Page, what: str, address: str, shown: str) -> list[tuple[str, str, str]]:
    paints, contents = [], []
    for _ in range(7):
        started = time.perf_counter()
        page.goto(address, wait_until="commit")
        if shown.startswith("()"):
            page.wait_for_function(shown)
        else:
            page.wait_for_selector(shown)
        contents.append((time.perf_counter() - started) * 1000)
        page.wait_for_function(_PAINT)
        paints.append(page.evaluate(_PAINT))
    return [
        (f"{what}: first paint", f"{statistics.median(paints):.0f} ms", f"worst {max(paints):.0f}"),
        (f"{what}: its content", f"{statistics.median(contents):.0f} ms", f"worst {max(contents):.0f}"),
    ]


def _big_run(it: ServerProcess) -> str:
    run_id = it.submit(scale.marked(scale.wide_dag(100, 20)))
    it.wait_run(run_id, timeout=300, poll_seconds=1)
    return run_id


def _work(
    it: ServerProcess, spec: dict[str, object], watching: Callable[[str], Tabs | None]
) -> tuple[float, int]:
    """Cores that the server's process used while the run went on, and the bytes that came to all tabs meanwhile."""
    assert it.process is not None
    process = psutil.Process(it.process.pid)
    run_id = it.submit(spec)
    found = watching(run_id)
    if found is None:
        return _used(it, process, run_id), 0
    with found.open():
        before = found.received
        return _used(it, process, run_id), found.received - before


def _used(it: ServerProcess, process: psutil.Process, run_id: str) -> float:
    started, before = time.perf_counter(), sum(process.cpu_times()[:2])
    it.wait_run(run_id, timeout=300, poll_seconds=0.5)
    return (sum(process.cpu_times()[:2]) - before) / (time.perf_counter() - started)


BENCHMARKS: dict[str, Callable[[], None]] = {"paint": paint, "trials": trials, "click": click, "tabs": tabs}

if __name__ == "__main__":
    for name in sys.argv[1:] or BENCHMARKS:
        BENCHMARKS[name]()
