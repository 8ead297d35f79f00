"""What is waited for on the way from page to page: links change a part of the window, so the page before stays a while.

After a click that leads elsewhere, `shown` comes first. Else what is looked for may be found on the page before, beside
its like on the next one, or clicked there; and a look that finds two fails at once.
"""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

# Some pages draw anew each second, for ever: none is waited for longer than that takes to be seen.
_QUIET = """() => new Promise((done) => {
  let timer;
  const end = () => { look.disconnect(); clearTimeout(timer); clearTimeout(most); done(); };
  const again = () => { clearTimeout(timer); timer = setTimeout(end, 400); };
  const look = new MutationObserver(again), most = setTimeout(end, 5000);
  look.observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
  again();
})"""


def shown(page: Page, title: str | re.Pattern[str]) -> None:
    """The page of this name is there, and the one before is gone."""
    expect(page.get_by_role("heading", name=title, level=1, exact=True)).to_be_visible()


def dialog(page: Page, title: str | re.Pattern[str]) -> Locator:
    """The window of this name: another one may still be closing."""
    return page.get_by_role("dialog", name=title)


def address_has(page: Page, text: str) -> None:
    """The address follows what is shown."""
    expect(page).to_have_url(re.compile(re.escape(text)))


def settled(page: Page) -> None:
    """Whatever the page shows at first is drawn."""
    page.locator(".sp-content > *").first.wait_for(state="attached")
    page.evaluate(_QUIET)
