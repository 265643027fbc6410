"""Nothing is lost by a reload or by a server that goes away, and what is forgotten is gone."""

from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser

from tests import photos
from tests.browser import (
    Open,
    Visits,
    downloaded,
    kept,
    ready,
    until,
    wait_for_all,
    wait_until_applied,
)
from tests.system import RunningSystem

pytestmark = pytest.mark.end_to_end
PHOTOS = 16
"""More than are done while a system stops."""


def test_a_reload_loses_nothing_and_forgetting_leaves_nothing(open_page: Open, portrait: Path) -> None:
    """Photos, boxes and results survive a reload, also while they are worked on; forgetting is complete."""
    page = open_page()
    page.set_input_files("#files", [portrait] * 3)
    until(lambda: kept(page)["photos"] == 3 and kept(page)["files"] >= 3)
    page.reload()
    ready(page)
    wait_for_all(page, 3)
    page.locator("#boxes .box").first.click()
    wait_until_applied(page)
    until(lambda: kept(page)["files"] == 9)
    page.reload()
    ready(page)
    assert page.inner_text("#count") == "3 of 3 done"
    assert page.inner_text("#verdict") == "1 left open"
    page.keyboard.press("Control+z")
    wait_until_applied(page)
    assert downloaded(page).size == (512, 512)
    page.click("#forget")
    page.click("#forget-dialog [value=forget]")
    page.locator("#empty").wait_for()
    until(lambda: set(kept(page).values()) <= {0, 1} and kept(page)["photos"] == kept(page)["files"] == 0)
    page.reload()
    ready(page)
    assert page.is_visible("#empty")


def test_leaving_asks_while_something_is_not_downloaded(open_page: Open, portrait: Path) -> None:
    """The browser asks before a picture is left that was not taken away, and does not ask after."""
    page = open_page()
    asked: list[str] = []
    page.on("dialog", lambda dialog: asked.append(dialog.type))
    page.set_input_files("#files", portrait)
    wait_for_all(page, 1)
    page.click("#frames")
    page.reload()
    ready(page)
    assert asked == ["beforeunload"]
    downloaded(page)
    page.click("#frames")
    page.reload()
    assert asked == ["beforeunload"]


def test_a_network_that_goes_away_and_comes_back(open_page: Open, portrait: Path) -> None:
    """One banner while nothing gets through; then all goes on without a click."""
    assert isinstance(open_page, Visits)
    open_page.may_be_away = True
    page = open_page()
    page.set_input_files("#files", [portrait] * 2)
    wait_for_all(page, 2)
    page.context.set_offline(True)
    page.locator("#boxes .box").first.click()
    page.locator("#banner:not([hidden])").wait_for()
    assert "Nothing is lost" in page.inner_text("#banner")
    page.context.set_offline(False)
    wait_until_applied(page)
    assert page.inner_text("#verdict") == "1 left open"
    until(lambda: not page.is_visible("#banner"))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_server_that_goes_away_and_comes_back(browser: Browser, tmp_path: Path) -> None:
    """Photos wait behind one banner and go on by themselves; none is lost, and none is left on the server."""
    files = []
    for number in range(PHOTOS):
        file = tmp_path / f"{number}.jpg"
        file.write_bytes(photos.encoded(photos.portrait().rotate(number), quality=90))
        files.append(file)
    system = RunningSystem("standalone", tmp_path / "data")
    system.wait_until_ready()
    visits = Visits(browser, system.url)
    visits.may_be_away = True
    page = visits()
    page.set_input_files("#files", files)
    until(lambda: page.locator("#progress").evaluate("bar => bar.value") >= 1)
    system.stop()
    page.locator("#banner").wait_for()
    again = RunningSystem("standalone", tmp_path / "data", port=system.port)
    again.wait_until_ready()
    try:
        wait_for_all(page, PHOTOS)
        assert page.inner_text("#count") == f"{PHOTOS} of {PHOTOS} done"
        assert not page.is_visible("#banner")
        # An upload that the stop cut off is collected one to two minutes later.
        until(lambda: stored(tmp_path / "data") == 0, 180)
        assert httpx.get(f"{again.url}/livez").status_code == 200
        visits.close()
    finally:
        again.stop()


def stored(folder: Path) -> int:
    """Return how many photos and results the server keeps."""
    return sum(1 for path in (folder / "photos").rglob("*") if path.is_file())
