"""The page in a real browser, as a stranger uses it."""

import io
import json
import re
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

from obscura.access import Scope
from obscura.access.key_store import KeyStore
from obscura.settings import Settings
from tests import photos
from tests.gateways import RunningGateway

pytestmark = pytest.mark.end_to_end
MAX_S = 180
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# What the pictures of the page looked like, to be looked at by a person.
PICTURES = Path(__file__).parent.parent.parent / "build" / "page"
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start the Chromium of this machine."""
    program = next((path for path in map(shutil.which, BROWSERS) if path), None)
    if program is None:
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        running.close()


Open = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, system_url: str) -> Iterator[Open]:
    """Return a function that opens the page; in the end nothing may have gone wrong or gone out."""
    faults: list[str] = []
    contexts: list[BrowserContext] = []

    def visit(**options: Any) -> Page:
        context = browser.new_context(**{"viewport": DESKTOP, "locale": "en-GB", **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(MAX_S * 1000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", hear)
        page.on("request", watch)
        page.goto(system_url)
        return page

    def hear(line: ConsoleMessage) -> None:
        # The browser notes each refusal of the server by itself; the page says it in words.
        if line.type in {"error", "warning"} and not re.search(r"status of 4\d\d", line.text):
            faults.append(line.text)

    def watch(request: Request) -> None:
        if not request.url.startswith((system_url, f"blob:{system_url}")):
            faults.append(request.url)

    yield visit
    for context in contexts:
        context.close()
    assert not faults


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
    """Wait until the edited picture is there."""
    until(lambda: page.inner_text("#verdict").startswith("Exactly the boxes"))


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


def serious(page: Page) -> list[str]:
    """Return what axe-core finds wrong enough to keep somebody out."""
    found = Axe().run(page).response["violations"]
    return [
        f"{item['id']}: {item['nodes'][0]['html']}"
        for item in found
        if item["impact"] in {"serious", "critical"}
    ]


def test_photos_go_in_and_hidden_ones_come_out(open_page: Open, portrait: Path, tmp_path: Path) -> None:
    """Several photos: progress, a verdict in words, one picture or all of them to take away."""
    again = tmp_path / "portrait.jpg"
    again.write_bytes(photos.turned(photos.portrait(), 6))
    page = open_page()
    page.set_input_files("#files", [portrait, again])
    wait_for_all(page, 2)
    assert page.inner_text("#count") == "2 of 2 done"
    assert "hidden" in page.inner_text("#verdict")
    assert page.locator("#boxes .box").count() == 1
    page.screenshot(path=PICTURES / "desktop.png", full_page=True)
    assert change(downloaded(page), photos.FACE) > 20
    with page.expect_download() as download:
        page.click("#zip")
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["portrait_hidden.jpg", "portrait_hidden (2).jpg", "report.json"]
        assert [item["report"]["hidden"] for item in json.loads(archive.read("report.json"))] == [
            {"face": 1}
        ] * 2


def test_boxes_can_be_switched_off_moved_and_drawn(open_page: Open, portrait: Path) -> None:
    """What a person decides is what the picture shows, and nothing else."""
    page = open_page()
    page.set_input_files("#files", portrait)
    wait_for_all(page, 1)
    page.locator("#boxes .box").first.click()
    page.click("#draw")
    page.locator("#boxes").scroll_into_view_if_needed()
    frame = page.locator("#boxes").bounding_box()
    assert frame is not None
    factor = frame["width"] / 512
    start = (frame["x"] + 300 * factor, frame["y"] + 300 * factor)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(start[0] + 100 * factor, start[1] + 100 * factor, steps=5)
    page.mouse.up()
    assert page.locator("#boxes .box").count() == 2
    assert "Apply again" in page.inner_text("#verdict")
    page.click("#apply")
    wait_until_applied(page)
    picture = downloaded(page)
    assert change(picture, photos.FACE) == 0
    assert change(picture, (305, 305, 395, 395)) > 5
    # A grown box ends where it ends: 300 - 15 is in, 200 is not.
    assert change(picture, (0, 0, 512, 200)) == 0


def test_the_keyboard_alone_is_enough(open_page: Open, portrait: Path) -> None:
    """Choose, switch, add, move, apply and download without a pointer."""
    page = open_page()
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.locator(":focus").get_attribute("id") == "files":
            break
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    chooser.value.set_files(portrait)
    wait_for_all(page, 1)
    page.locator("#boxes .box").first.press("Enter")
    assert page.locator("#boxes .box").first.get_attribute("aria-pressed") == "false"
    page.locator("#draw").press("Enter")
    label = page.locator(":focus").get_attribute("aria-label")
    assert label == "Face 2, hidden, left 192, top 192, 128 by 128 pixels, drawn by you"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    label = page.locator(":focus").get_attribute("aria-label")
    assert label == "Face 2, hidden, left 197, top 192, 128 by 133 pixels, drawn by you"
    page.locator("#apply").press("Enter")
    wait_until_applied(page)
    assert change(downloaded(page), (200, 200, 320, 320)) > 10


def test_what_cannot_be_done_is_said_in_words(open_page: Open, portrait: Path, tmp_path: Path) -> None:
    """A wrong file is named at once, a broken one gets the server's reason, and both harm no other."""
    text = tmp_path / "notes.txt"
    text.write_text("no picture")
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(portrait.read_bytes()[:5000])
    page = open_page()
    page.set_input_files("#files", [text, broken, portrait])
    wait_for_all(page, 2)
    assert "notes.txt" in page.inner_text("#problem")
    assert page.inner_text("#count") == "1 of 2 done, 1 failed"
    page.click("#list li:first-child button")
    assert "incomplete" in page.inner_text("#verdict")
    assert page.is_visible("#retry")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_kept_out(open_page: Open, portrait: Path, scheme: str) -> None:
    """axe-core finds nothing serious on a phone or a desktop, in the light or in the dark."""
    page = open_page(viewport=PHONE if scheme == "dark" else DESKTOP, color_scheme=scheme)
    assert serious(page) == []
    page.set_input_files("#files", portrait)
    wait_for_all(page, 1)
    page.click("#options summary")
    page.click("#report summary")
    assert serious(page) == []
    page.screenshot(path=PICTURES / f"{scheme}.png", full_page=True)
    # A phone is never scrolled sideways.
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_every_language_has_every_text(open_page: Open) -> None:
    """The same keys with the same places in all languages; the choice is kept."""
    page = open_page(locale="ko-KR")
    assert page.locator("html").get_attribute("lang") == "ko"
    texts = page.evaluate("async () => (await import('/web/words.js')).LANGUAGES")
    places = {
        tag: {key: sorted(re.findall(r"\{\w+\}", text)) for key, text in words.items()}
        for tag, words in texts.items()
    }
    assert sorted(places) == ["en", "ja", "ko", "ru"]
    for words in places.values():
        assert words == places["en"]
    page.select_option("#language", "ru")
    page.reload()
    assert page.locator("html").get_attribute("lang") == "ru"
    used = set(page.evaluate("[...document.querySelectorAll('[data-text]')].map(node => node.dataset.text)"))
    assert used <= set(places["en"])


def test_where_keys_are_asked_for_the_page_asks_too(
    browser: Browser, valkey_url: str, portrait: Path, tmp_path: Path
) -> None:
    """A photo without a key opens the dialog, a wrong key is named, a right one lets the photo in."""
    _, text = KeyStore(Settings(redis_url=valkey_url)).create("page", frozenset(Scope))
    with RunningGateway(valkey_url, tmp_path, api_keys="on") as gateway:
        context = browser.new_context(locale="en-GB")
        page = context.new_page()
        page.goto(gateway.url)
        page.set_input_files("#files", portrait)
        page.locator("#key-dialog[open]").wait_for()
        page.fill("#key", "obscura_wrong")
        page.keyboard.press("Enter")
        until(lambda: "does not know this key" in page.inner_text("#problem"))
        page.fill("#key", text)
        page.keyboard.press("Enter")
        # No worker serves this gateway: the photo waits for one.
        until(lambda: page.inner_text("#list .state") == "In the queue")
        assert page.inner_text("#problem") == ""
        # Each would wait for the other: the page's long poll is answered by nobody.
        gateway.process.kill()
        context.close()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_hundred_photos(open_page: Open, tmp_path: Path) -> None:
    """All of them come out, one after the other."""
    files = []
    for number in range(100):
        file = tmp_path / f"{number}.jpg"
        file.write_bytes(photos.encoded(photos.portrait().rotate(number % 9 - 4), quality=80 + number % 15))
        files.append(file)
    page = open_page()
    page.set_input_files("#files", files)
    wait_for_all(page, 100)
    assert page.inner_text("#count") == "100 of 100 done"
    page.screenshot(path=PICTURES / "hundred.png", full_page=True)
    with page.expect_download() as download:
        page.click("#zip")
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 101
