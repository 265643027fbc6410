"""Measure the page in Chromium: what the first visit loads, and frames while somebody works on 100 photos.

Run as ``python -m benchmarks.page``. Frames are the intervals between the browser's animation frames; a frame
that takes long is an interaction that stutters. The photos are done before, so that the machine's cores are
the browser's.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from playwright.sync_api import Page, sync_playwright

from benchmarks.material import composed, material
from benchmarks.running import obscura

__all__ = ["main"]

VIEWPORT: Final = {"width": 1440, "height": 900}
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome")
PHOTO_SIZE: Final = (1600, 1200)
LONGEST_WORK_S: Final = 1800
PAUSE_MS: Final = 150
"""Between two actions of somebody who hurries."""

RECORD: Final = """() => {
  const frames = window.obscuraFrames = [];
  let before = null;
  const next = (now) => {
    if (before !== null) frames.push(now - before);
    before = now;
    window.obscuraLoop = requestAnimationFrame(next);
  };
  window.obscuraLoop = requestAnimationFrame(next);
}"""
STOP: Final = "() => { cancelAnimationFrame(window.obscuraLoop); return window.obscuraFrames; }"


@contextmanager
def chromium_page(url: str) -> Iterator[Page]:
    """Open an empty page of the machine's Chromium; end it afterwards."""
    program = next((path for path in map(shutil.which, BROWSERS) if path), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_context(viewport=VIEWPORT, locale="en-GB", base_url=url).new_page()  # type: ignore[arg-type] # a plain dict
        page.set_default_timeout(LONGEST_WORK_S * 1000)
        yield page
        browser.close()


def first_load(page: Page) -> tuple[int, int, float]:
    """Open the page; return bytes on the wire with heads, requests, and milliseconds until it can be used."""
    session, sizes = page.context.new_cdp_session(page), list[float]()
    session.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    session.send("Network.enable")
    start = time.perf_counter()
    page.goto("/")
    page.locator("#main[data-ready]").wait_for(state="attached")
    spent_ms = (time.perf_counter() - start) * 1000
    page.wait_for_timeout(500)
    return round(sum(sizes)), len(sizes), spent_ms


def press(*keys: str, times: int = 1) -> Callable[[Page], None]:
    """Return an action: press keys one after another, so many times."""

    def act(page: Page) -> None:
        for _ in range(times):
            for key in keys:
                page.keyboard.press(key)
                page.wait_for_timeout(PAUSE_MS)

    return act


def _compare(page: Page) -> None:
    left, y, width = _frame(page)
    handle, _, width_of_handle = _frame(page, "#divider")
    page.mouse.move(handle + width_of_handle / 2, y)
    page.mouse.down()
    for share in (0.5, 0.9, 0.2, 1.0, 0.0):
        page.mouse.move(left + width * share, y, steps=20)
    page.mouse.up()


def _zoom(page: Page) -> None:
    left, y, width = _frame(page)
    page.mouse.move(left + width / 2, y)
    for turn in (-300, -300, -300, 300, 300, 300):
        page.mouse.wheel(0, turn)
        page.wait_for_timeout(PAUSE_MS)
    page.keyboard.press("0")


def _strip(page: Page) -> None:
    left, y, width = _frame(page, "#list")
    page.mouse.move(left + width / 2, y)
    for turn in (*[600] * 10, *[-600] * 10):
        page.mouse.wheel(turn, turn)
        page.wait_for_timeout(PAUSE_MS / 3)


def _draw(page: Page) -> None:
    page.keyboard.press("e")
    left, y, width = _frame(page)
    for share in (0.2, 0.4, 0.6):
        page.keyboard.press("d")
        page.mouse.move(left + width * share, y)
        page.mouse.down()
        page.mouse.move(left + width * (share + 0.1), y + width * 0.1, steps=20)
        page.mouse.up()
        page.wait_for_timeout(PAUSE_MS)


def _frame(page: Page, element: str = "#picture") -> tuple[float, float, float]:
    """Return left edge, middle and width of an element on the screen, in CSS pixels."""
    frame = page.locator(element).bounding_box()
    if frame is None:
        message = f"{element} is not to be seen"
        raise RuntimeError(message)
    return frame["x"], frame["y"] + frame["height"] / 2, frame["width"]


INTERACTIONS: Final[dict[str, Callable[[Page], None]]] = {
    "next photo, 30 times": press("ArrowRight", times=30),
    "previous photo, 10 times": press("ArrowLeft", times=10),
    "drag the divider": _compare,
    "zoom in and out": _zoom,
    "scroll the strip": _strip,
    "all photos at a glance, there and back": press("g", times=4),
    "draw three boxes": _draw,
    "undo and redo": press("Control+z", "Control+Shift+z", times=3),
    "approve, next to review": press(" ", "n", times=5),
}


def frames_of(page: Page, act: Callable[[Page], None]) -> list[float]:
    """Return the intervals between frames, in milliseconds, while something is done."""
    page.evaluate(RECORD)
    act(page)
    page.wait_for_timeout(300)
    frames: list[float] = page.evaluate(STOP)
    return frames


def main() -> None:
    """Print the first load and the frames of each interaction."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--photos", type=int, default=100)
    count = parser.parse_args().photos
    source = material()
    with tempfile.TemporaryDirectory() as folder, obscura() as server:
        files = [Path(folder, f"{number}.jpg") for number in range(count)]
        for number, file in enumerate(files):
            file.write_bytes(composed(source, PHOTO_SIZE, number))
        with chromium_page(f"http://127.0.0.1:{server.port}") as page:
            size, requests, ready_ms = first_load(page)
            _tell(f"first load: {size / 1000:.1f} kB in {requests} requests, ready after {ready_ms:.0f} ms")
            _tell(f"{count} photos of {PHOTO_SIZE[0]} x {PHOTO_SIZE[1]} px: {source.source}")
            start = time.perf_counter()
            page.set_input_files("#files", files)
            while page.locator("#progress").evaluate("bar => bar.value") < count:
                page.wait_for_timeout(500)
            _tell(f"all done after {time.perf_counter() - start:.0f} s")
            page.wait_for_timeout(2000)
            _tell("\n| interaction | frames | median | 95 % | longest, ms |\n|---|---|---|---|---|")
            for name, act in INTERACTIONS.items():
                frames: Any = frames_of(page, act)
                middle, high, most = np.percentile(frames, [50, 95, 100])
                _tell(f"| {name} | {len(frames)} | {middle:.0f} | {high:.0f} | {most:.0f} |")


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
