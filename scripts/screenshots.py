"""Pictures of every page of the dashboard, for people to look at: `scripts/screenshots` starts it.

A server of its own, first empty and then seeded; each page light and dark, 1440 and 820 pixels wide. What the browser
says to its console as an error is printed beside the page's name.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / "browser"), str(ROOT / "src")]

from addresses import addresses, interfaces, without_sample  # noqa: E402
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402
from seed import seed  # noqa: E402

from conftest import CHROMIUM  # noqa: E402
from sampan.testing.server import ServerProcess  # noqa: E402

SIZES = {"wide": (1440, 900), "narrow": (820, 1100)}
THEMES = ("light", "dark")
SETTLE_MS = 900
"""For what comes after a page is there: a graph's layout, a log's lines."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", default=str(ROOT / "screenshots"))
    parser.add_argument("--only", default="")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    folder = Path(given.folder)
    shutil.rmtree(folder, ignore_errors=True)
    with (
        tempfile.TemporaryDirectory() as home,
        ServerProcess(Path(home)) as server,
        sync_playwright() as playwright,
    ):
        arguments = ["--no-sandbox", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        complaints = 0
        if not given.full:
            plain = {name: path for name, path in _empty_pages().items() if given.only in name}
            complaints += take(browser, server.url, plain, folder / "empty", given.quick)
        seeded = seed(server)
        for path in without_sample(seeded):
            print(f"no sample for {path}: add one to tests/browser/addresses.py")
        full = {name: path for name, path in addresses(seeded).items() if given.only in name}
        complaints += take(browser, server.url, full, folder / "full", given.quick)
        browser.close()
    print(f"{folder}: {sum(1 for _ in folder.rglob('*.png'))} pictures, {complaints} complaints")
    return 1 if complaints else 0


def _empty_pages() -> Mapping[str, str]:
    """Those without parameters: of the others there is nothing to show yet."""
    pages = [page.path for each in interfaces() for page in each.pages if "{" not in page.path]
    return {path.strip("/").replace("/", "-") or "home": path for path in ("/", "/activity", *pages)}


def take(browser: Browser, url: str, pages: Mapping[str, str], folder: Path, quick: bool) -> int:
    """Light and wide alone when it is to be quick. Returns how many errors the pages wrote to the console."""
    complaints = 0
    for theme in THEMES[:1] if quick else THEMES:
        for size, (width, height) in list(SIZES.items())[: 1 if quick else None]:
            context = browser.new_context(
                viewport={"width": width, "height": height}, color_scheme=theme, reduced_motion="reduce"
            )
            page = context.new_page()
            said: list[str] = []
            _listen(page, said)
            for name, path in pages.items():
                said.clear()
                _visit(page, f"{url}/ui{path}")
                into = folder / f"{name}-{theme}-{size}.png"
                into.parent.mkdir(parents=True, exist_ok=True)
                page.screenshot(path=into, full_page=True)
                if overflow := page.evaluate("document.documentElement.scrollWidth - innerWidth"):
                    said.append(f"{overflow} pixels wider than the window")
                for text in said:
                    print(f"{folder.name}/{into.name}: {text[:300]}")
                complaints += len(said)
            context.close()
    return complaints


def _listen(page: Page, said: list[str]) -> None:
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))


def _visit(page: Page, address: str) -> None:
    page.goto(address)
    page.locator(".sp-content > *").first.wait_for(state="attached", timeout=20_000)
    page.wait_for_timeout(SETTLE_MS)


if __name__ == "__main__":
    sys.exit(main())
