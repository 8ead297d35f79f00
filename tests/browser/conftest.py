"""A real server and a real browser for all tests of pages: Debian's Chromium, driven by Playwright.

Most tests share one server, which is seeded once with runs of every kind (`seed.py`); a test that changes something
makes it for itself, under a name of its own. Whatever the browser says to its console as an error fails the test.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, expect, sync_playwright
from seed import Seeded, seed

from sampan.testing.server import ServerProcess

CHROMIUM = os.environ.get("SAMPAN_TEST_CHROMIUM") or shutil.which("chromium") or ""
# Playwright's five seconds are for a machine that does nothing else.
expect.set_options(timeout=60_000)
_ARGUMENTS = ["--no-sandbox", "--disable-background-networking"]


# Of a module, not of the session: while Playwright runs, an event loop does, and other tests could start none.
@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    if not CHROMIUM:
        if os.environ.get("CI"):
            pytest.fail("no Chromium: apt-get install chromium, or name one in SAMPAN_TEST_CHROMIUM")
        pytest.skip("no Chromium: apt-get install chromium, or name one in SAMPAN_TEST_CHROMIUM")
    with sync_playwright() as found:
        yield found


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    found = playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGUMENTS)
    yield found
    found.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Shared: tests read what is seeded, and change only what they have made."""
    with ServerProcess(tmp_path_factory.mktemp("home")) as found:
        yield found


@pytest.fixture(scope="session")
def seeded(server: ServerProcess) -> Seeded:
    """The shared server, with something of everything on it: see `seed` for the names."""
    return seed(server)


OpenTab = Callable[..., Page]


@pytest.fixture
def tab(browser: Browser) -> Iterator[OpenTab]:
    """Opens an address in a window of its own. `color_scheme`, `viewport` and so on go to the window."""
    complaints: list[str] = []
    contexts = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    def open_(address: str, **options: object) -> Page:
        settings = {"viewport": {"width": 1440, "height": 900}, "timezone_id": "Europe/Berlin", **options}
        context = browser.new_context(**settings)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", note)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not complaints, complaints


@pytest.fixture
def page(tab: OpenTab, server: ServerProcess) -> Page:
    """A window of the shared server, at home."""
    return tab(f"{server.url}/ui/")


@pytest.fixture(scope="session")
def gallery() -> Iterator[str]:
    """The address of the toolkit's own elements (`gallery.py`), each on a page that makes up what it shows."""
    program = Path(__file__).parent / "gallery.py"
    with subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


PIPELINES = Path(__file__).parent / "pipelines"
