"""The page in a real browser, as a stranger uses it."""

import json
import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FileChooser

from obscura.access import Scope
from obscura.access.key_store import KeyStore
from obscura.settings import Settings
from tests import photos
from tests.browser import (
    DESKTOP,
    PHONE,
    Open,
    change,
    downloaded,
    frame_of,
    ready,
    serious,
    touch,
    until,
    wait_for_all,
    wait_until_applied,
)
from tests.gateways import RunningGateway

pytestmark = pytest.mark.end_to_end


def test_photos_go_in_and_hidden_ones_come_out(open_page: Open, portrait: Path, tmp_path: Path) -> None:
    """Several photos: progress, a verdict in words, one picture or all of them to take away."""
    again = tmp_path / "portrait.jpg"
    again.write_bytes(photos.turned(photos.portrait(), 6))
    page = open_page()
    page.set_input_files("#files", [portrait, again])
    wait_for_all(page, 2)
    assert page.inner_text("#count") == "2 of 2 done"
    assert page.inner_text("#verdict") == "1 hidden"
    assert page.locator("#boxes .box").count() == 1
    assert change(downloaded(page), photos.FACE) > 20
    with page.expect_download() as download:
        page.click("#zip")
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["portrait_hidden.jpg", "portrait_hidden (2).jpg", "report.json"]
        assert [item["report"]["hidden"] for item in json.loads(archive.read("report.json"))] == [
            {"face": 1}
        ] * 2


def test_the_keyboard_alone_is_enough(open_page: Open, portrait: Path) -> None:
    """Choose, switch, add, move, resize, apply and download without a pointer."""
    page = open_page()
    # Heard from the beginning: a chooser that opens before anybody listens would wait for a person.
    choosers: list[FileChooser] = []

    def take(chooser: FileChooser) -> None:
        choosers.append(chooser)

    page.on("filechooser", take)
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.locator(":focus").get_attribute("id") == "choose":
            break
    page.keyboard.press("Enter")
    until(lambda: page.is_visible("#choose") and len(choosers) == 1)
    choosers[0].set_files(portrait)
    wait_for_all(page, 1)
    page.locator("#boxes .box").first.press("Enter")
    assert page.locator("#boxes .box").first.get_attribute("aria-pressed") == "false"
    page.keyboard.press("d")
    label = page.locator(":focus").get_attribute("aria-label")
    assert label == "Face 2, hidden, left 192, top 192, 128 by 128 pixels, drawn by you"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Enter")
    label = page.locator(":focus").get_attribute("aria-label")
    assert label == "Face 2, hidden, left 197, top 192, 128 by 133 pixels, drawn by you"
    wait_until_applied(page)
    assert change(downloaded(page), (200, 200, 320, 320)) > 10


def test_all_photos_at_a_glance(open_page: Open, portrait: Path) -> None:
    """The overview has the whole screen; arrows go over its rows, Enter opens the chosen photo."""
    page = open_page(viewport={"width": 640, "height": 800})
    page.set_input_files("#files", [portrait] * 6)
    wait_for_all(page, 6)
    page.keyboard.press("g")
    page.locator("#work.overview").wait_for()
    assert not page.is_visible("#stage")
    rows = {round(frame_of(item)["y"]) for item in page.locator("#list .thumb").all()}
    assert len(rows) == 2
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.locator("#stage").wait_for()
    chosen = page.locator("#list [aria-selected=true]")
    assert chosen.get_attribute("aria-posinset") == "6"


def test_fingers_turn_pages_and_zoom(open_page: Open, portrait: Path) -> None:
    """On a phone a wipe goes to the next photo, two fingers zoom, and one moves what is zoomed."""
    page = open_page(viewport=PHONE, has_touch=True)
    page.set_input_files("#files", [portrait] * 2)
    wait_for_all(page, 2)
    touch(page, [(300, 300)], [(60, 310)])
    chosen = page.locator("#list [aria-selected=true]")
    until(lambda: chosen.get_attribute("aria-posinset") == "2")
    frame = frame_of(page)
    touch(page, [(150, 300), (250, 300)], [(50, 300), (350, 300)])
    until(lambda: frame_of(page)["width"] > 2.5 * frame["width"])
    left = frame_of(page)["x"]
    touch(page, [(200, 300)], [(260, 300)])
    until(lambda: frame_of(page)["x"] >= left + 55)
    assert chosen.get_attribute("aria-posinset") == "2"


def test_a_crowd_has_the_screen_and_is_one_stop_of_the_tab_key(open_page: Open, tmp_path: Path) -> None:
    """A 4:3 photo has 60 % of a 1440 x 900 screen with every tool in sight; arrows go from face to face."""
    crowd = tmp_path / "crowd.jpg"
    crowd.write_bytes(photos.encoded(photos.group(4, 3), quality=90))
    page = open_page()
    page.uncheck("#start-options [value=plate]")
    page.set_input_files("#files", crowd)
    wait_for_all(page, 1)
    frame = frame_of(page)
    assert frame["width"] * frame["height"] >= 0.6 * 1440 * 900
    for tool in ("#before", "#edit", "#draw", "#undo", "#apply", "#download", "#divider", "#box-list"):
        assert page.is_visible(tool)
    page.locator("#divider").press("End")
    page.locator("#tag-before").wait_for()
    page.locator("#divider").press("Home")
    faces = page.locator("#boxes .box").count()
    assert faces >= 8
    assert page.locator('#boxes .box[tabindex="0"]').count() == 1
    page.locator('#boxes .box[tabindex="0"]').focus()
    names = []
    for _ in range(faces):
        names.append((page.locator(":focus").get_attribute("aria-label") or "").split(",")[0])
        page.keyboard.press("ArrowRight")
    # In reading order; what a second look still saw comes with numbers of its own.
    assert len(set(names)) == faces
    assert names[0] == "Face 1"
    page.keyboard.press("Tab")
    assert page.locator("#boxes .box:focus").count() == 0


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
    assert "incomplete" in page.inner_text("#explain")
    assert page.is_visible("#retry")
    page.check("#filters [value=failed]")
    until(lambda: page.locator("#list .thumb").count() == 1)


def test_light_or_dark_is_kept(open_page: Open) -> None:
    """The page follows the system until a person switches, and then them, also after a reload."""
    page = open_page(color_scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.click("#theme")
    dark = page.evaluate(ground)
    assert dark != light
    page.reload()
    ready(page)
    assert page.evaluate(ground) == dark
    page.click("#theme")
    assert page.evaluate(ground) == light


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_kept_out(open_page: Open, portrait: Path, scheme: str) -> None:
    """axe-core finds nothing serious on a phone or a desktop, in the light or in the dark."""
    page = open_page(viewport=PHONE if scheme == "dark" else DESKTOP, color_scheme=scheme)
    assert serious(page) == []
    page.click("#empty footer a:nth-of-type(2)")
    # A click does not wait for the style sheets of the page that it leads to.
    page.wait_for_url("**/about#*")
    assert serious(page) == []
    # A phone is never scrolled sideways.
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.go_back()
    ready(page)
    page.set_input_files("#files", portrait)
    wait_for_all(page, 1)
    assert serious(page) == []
    page.click("#sticky-edit" if scheme == "dark" else "#edit")
    if scheme == "dark":
        page.click("#sticky-panel")
    page.click("#options-part summary")
    page.click("#report summary")
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_every_language_has_every_text(open_page: Open) -> None:
    """The same keys with the same places in all languages; the choice is kept."""
    page = open_page(locale="ko-KR")
    assert page.locator("html").get_attribute("lang") == "ko"
    texts = page.evaluate(
        """async () => {
          const words = await import('/web/text/words.js');
          const texts = {};
          for (const tag of words.LANGUAGES) texts[tag] = await words.load(tag);
          return texts;
        }"""
    )
    places = {
        tag: {key: sorted(re.findall(r"\{\w+\}", text)) for key, text in words.items()}
        for tag, words in texts.items()
    }
    assert sorted(places) == ["en", "ja", "ko", "ru"]
    for words in places.values():
        assert words == places["en"]
    page.select_option("#language", "ru")
    until(lambda: page.locator("html").get_attribute("lang") == "ru")
    page.reload()
    ready(page)
    assert page.locator("html").get_attribute("lang") == "ru"
    script = "name => [...document.querySelectorAll(`[data-${name}]`)].map(node => node.dataset[name])"
    used = {key for name in ("text", "label", "title", "alt") for key in page.evaluate(script, name)}
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
        ready(page)
        page.set_input_files("#files", portrait)
        page.locator("#key-dialog[open]").wait_for()
        assert not page.is_visible("#key-wrong")
        page.fill("#key", "obscura_wrong")
        page.keyboard.press("Enter")
        page.locator("#key-wrong").wait_for()
        page.fill("#key", text)
        page.keyboard.press("Enter")
        # No worker serves this gateway: the photo waits for one.
        until(lambda: page.inner_text("#verdict") == "In the queue")
        assert not page.is_visible("#key-dialog")
        # Each would wait for the other: the page's long poll is answered by nobody.
        gateway.process.kill()
        context.close()


def test_a_hundred_photos(open_page: Open, tmp_path: Path) -> None:
    """All of them come out; the strip holds only those that can be seen."""
    files = []
    for number in range(100):
        file = tmp_path / f"{number}.jpg"
        file.write_bytes(photos.encoded(photos.portrait().rotate(number % 9 - 4), quality=80 + number % 15))
        files.append(file)
    page = open_page()
    page.set_input_files("#files", files)
    wait_for_all(page, 100)
    assert page.inner_text("#count") == "100 of 100 done"
    assert page.locator("#list .thumb").count() < 40
    with page.expect_download() as download:
        page.click("#zip")
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 101
