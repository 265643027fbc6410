"""The Chromium of this machine, and what tests of the page do in it."""

import io
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    FloatRect,
    Locator,
    Page,
    Request,
    sync_playwright,
)

from tests import photos

MAX_S = 180
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
Open = Callable[..., Page]


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the Chromium of this machine; skip the test where there is none."""
    program = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if program is None:
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield running
        running.close()


class Visits:
    """Opens pages of one server and notes what goes wrong or goes out."""

    def __init__(self, browser: Browser, url: str) -> None:
        self._browser = browser
        self._url = url
        self._contexts: list[BrowserContext] = []
        self.faults: list[str] = []
        # Where the server goes away on purpose, the browser says so of each request.
        self.may_be_away = False

    def __call__(self, **options: Any) -> Page:
        """Return a new page of a visitor who has never been here."""
        context = self._browser.new_context(**{"viewport": DESKTOP, "locale": "en-GB", **options})
        self._contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(MAX_S * 1000)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", self._hear)
        page.on("request", self._watch)
        # A prompt before leaving is answered with yes.
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(self._url)
        ready(page)
        return page

    def _hear(self, line: ConsoleMessage) -> None:
        # The browser notes each refusal of the server by itself; the page says it in words.
        expected = re.search(r"status of 4\d\d", line.text) or (
            self.may_be_away and "Failed to load" in line.text
        )
        if line.type in {"error", "warning"} and not expected:
            self.faults.append(line.text)

    def _watch(self, request: Request) -> None:
        if not request.url.startswith((self._url, f"blob:{self._url}")):
            self.faults.append(request.url)

    def close(self) -> None:
        """End all visits; nothing may have gone wrong in any."""
        for context in self._contexts:
            context.close()
        assert not self.faults


def ready(page: Page) -> None:
    """Wait until the page has taken up what an earlier visit has left."""
    page.locator("#main[data-ready]").wait_for(state="attached")


def until(condition: Callable[[], bool], seconds: float = MAX_S) -> None:
    """Wait for a condition of the page; the page's own policy forbids Playwright's way of doing so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def wait_for_all(page: Page, number: int) -> None:
    """Wait until as many photos have ended, each with the time of one."""
    until(lambda: page.locator("#progress").evaluate("bar => bar.value") == number, number * MAX_S)


def wait_until_applied(page: Page) -> None:
    """Wait until the picture that can be downloaded is the edited one."""
    until(lambda: page.locator("#download").get_attribute("href") is not None)


def downloaded(page: Page) -> Image.Image:
    """Press Download and return the picture."""
    with page.expect_download() as download:
        page.locator("#download").press("Enter")
    picture = Image.open(io.BytesIO(download.value.path().read_bytes()))
    picture.load()
    return picture


def change(picture: Image.Image, box: tuple[int, int, int, int]) -> float:
    """Return the mean difference of a part of the picture from the portrait's, 0..255."""
    parts = [np.asarray(item.convert("RGB").crop(box), np.float32) for item in (picture, photos.portrait())]
    return float(np.abs(parts[0] - parts[1]).mean())


def frame_of(place: Page | Locator) -> FloatRect:
    """Return where an element is on the screen; of a page, its picture."""
    frame = (place.locator("#picture") if isinstance(place, Page) else place).bounding_box()
    assert frame is not None
    return frame


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag over the portrait, from and to pixels of the picture."""
    frame = frame_of(page)
    factor = frame["width"] / 512
    page.mouse.move(frame["x"] + start[0] * factor, frame["y"] + start[1] * factor)
    page.mouse.down()
    page.mouse.move(frame["x"] + end[0] * factor, frame["y"] + end[1] * factor, steps=5)
    page.mouse.up()


def touch(page: Page, start: list[tuple[float, float]], end: list[tuple[float, float]]) -> None:
    """Move one or more fingers over the screen, from and to these places."""
    session = page.context.new_cdp_session(page)

    def send(kind: str, places: list[tuple[float, float]]) -> None:
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    send("touchStart", start)
    for step in range(1, 9):
        send(
            "touchMove",
            [
                (a + (c - a) * step / 8, b + (d - b) * step / 8)
                for (a, b), (c, d) in zip(start, end, strict=True)
            ],
        )
    send("touchEnd", [])
    session.detach()


def serious(page: Page) -> list[str]:
    """Return what axe-core finds wrong enough to keep somebody out."""
    found = Axe().run(page).response["violations"]
    return [
        f"{item['id']}: {item['nodes'][0]['html']}"
        for item in found
        if item["impact"] in {"serious", "critical"}
    ]


def kept(page: Page) -> dict[str, int]:
    """Return how many entries each store of the browser's database has."""
    counts: dict[str, int] = page.evaluate(
        """async () => {
          const asked = (request) => new Promise((resolve) => {
            request.onsuccess = () => resolve(request.result);
          });
          const base = await asked(indexedDB.open("obscura"));
          const counts = {};
          for (const name of base.objectStoreNames) {
            counts[name] = await asked(base.transaction(name).objectStore(name).count());
          }
          base.close();
          return counts;
        }"""
    )
    return counts
