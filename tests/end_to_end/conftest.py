"""What tests of the page share: the browser, and a function that opens the page."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser import Open, Visits, chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start the Chromium of this machine.

    For a module and not for the session: while Playwright runs, its thread has an event loop, and tests of
    other modules that start one of their own would fail.
    """
    with chromium() as running:
        yield running


@pytest.fixture
def open_page(browser: Browser, system_url: str) -> Iterator[Open]:
    """Return a function that opens the page; in the end nothing may have gone wrong or gone out."""
    visits = Visits(browser, system_url)
    yield visits
    visits.close()
