"""What a person changes in the page: boxes, styles, areas. What is downloaded is what is shown."""

from pathlib import Path

import numpy as np
import pytest

from tests import photos, videos
from tests.browser import (
    Open,
    change,
    downloaded,
    drag,
    frame_of,
    until,
    wait_for_all,
    wait_until_applied,
)

pytestmark = pytest.mark.end_to_end


def test_changes_are_applied_by_themselves_and_can_be_undone(open_page: Open, portrait: Path) -> None:
    """A click opens a face, a drag hides a place, Ctrl-Z takes both back: the download is what is shown."""
    page = open_page()
    page.set_input_files("#files", portrait)
    wait_for_all(page, 1)
    page.locator("#boxes .box").first.click()
    wait_until_applied(page)
    # A detector has seen it: left open it is nobody's "good".
    assert page.inner_text("#verdict") == "1 left open"
    assert "care" in (page.locator("#explain").get_attribute("class") or "")
    page.keyboard.press("e")
    drag(page, (300, 300), (400, 400))
    assert page.locator("#boxes .box").count() == 2
    wait_until_applied(page)
    picture = downloaded(page)
    assert change(picture, photos.FACE) == 0
    assert change(picture, (305, 305, 395, 395)) > 5
    # A grown box ends where it ends: 300 - 15 is in, 200 is not.
    assert change(picture, (0, 0, 512, 200)) == 0
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    wait_until_applied(page)
    assert page.locator("#boxes .box").count() == 1
    picture = downloaded(page)
    assert change(picture, photos.FACE) > 20
    assert change(picture, (305, 305, 395, 395)) == 0


def test_a_mask_drawn_once_holds_for_all_photos(open_page: Open, portrait: Path) -> None:
    """A place drawn as a mask is hidden in photos that are done and in those to come."""
    page = open_page()
    page.set_input_files("#files", portrait)
    wait_for_all(page, 1)
    page.select_option("#draw-class", "mask")
    page.click("#draw")
    drag(page, (320, 320), (420, 420))
    assert page.locator("#area-list li").count() == 1
    wait_until_applied(page)
    assert change(downloaded(page), (330, 330, 410, 410)) > 5
    page.set_input_files("#files", portrait)
    wait_for_all(page, 2)
    page.locator("#list").focus()
    page.keyboard.press("End")
    wait_until_applied(page)
    picture = downloaded(page)
    assert change(picture, (330, 330, 410, 410)) > 5
    assert change(picture, photos.FACE) > 20


def test_a_harder_look_keeps_decisions_and_approval_is_not_green(open_page: Open, portrait: Path) -> None:
    """What a person has opened stays open when the photo is searched again; approved, it is still said."""
    page = open_page()
    page.set_input_files("#files", portrait)
    wait_for_all(page, 1)
    page.locator("#boxes .box").first.click()
    wait_until_applied(page)
    page.click("#harder")
    wait_for_all(page, 1)
    wait_until_applied(page)
    assert page.locator("#boxes .box.off").count() == 1
    assert page.inner_text("#verdict").startswith("1 left open")
    assert page.inner_text("#count-review") == "1"
    page.keyboard.press("Space")
    until(lambda: page.inner_text("#count-review") == "0")
    assert page.inner_text("#verdict") == "Approved, 1 left open"
    assert page.locator("#explain").get_attribute("class") == "notice plain"
    assert page.locator("#list .mark.good").count() == 0


def test_a_box_that_was_moved_off_a_face_never_looks_good(open_page: Open, portrait: Path) -> None:
    """What the box covered is seen again in the picture; nothing is green above it, approved or not."""
    page = open_page()
    page.set_input_files("#files", portrait)
    wait_for_all(page, 1)
    page.keyboard.press("e")
    drag(page, (224, 126), (420, 400))
    wait_until_applied(page)
    assert change(downloaded(page), photos.FACE) == 0
    assert page.inner_text("#verdict") == "Please look: 1"
    assert page.locator("#boxes .box.residual.off").count() == 1
    assert page.locator("#list .mark.good, #explain.good, #verdict.good").count() == 0
    page.keyboard.press("Escape")
    page.keyboard.press("Space")
    until(lambda: page.inner_text("#verdict") == "Approved, 1 left open")
    assert page.locator("#list .mark.good, #explain.good, #verdict.good").count() == 0


def test_a_colour_and_areas_by_keyboard(open_page: Open, portrait: Path) -> None:
    """A colour of one's own fills what is hidden; a mask and a zone are placed with arrows alone."""
    page = open_page()
    page.set_input_files("#files", portrait)
    wait_for_all(page, 1)
    page.select_option("#style [name=style]", "solid")
    page.select_option("#style select[name=color]", "#808080")
    page.locator("#style input[name=color]").fill("#ff0000")
    page.select_option("#draw-class", "mask")
    page.locator("#draw").press("Enter")
    for _ in range(12):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+ArrowRight")
    label = page.locator(":focus").get_attribute("aria-label")
    assert label == "Mask: hide here in all photos: left 192, top 253, 133 by 128 pixels"
    page.keyboard.press("Enter")
    wait_until_applied(page)
    picture = downloaded(page)
    red, green, blue = (band.mean() for band in np.asarray(picture.crop(photos.FACE), np.float32).T)
    assert (red > 240, green < 15, blue < 15) == (True, True, True)
    assert change(picture, (200, 260, 315, 370)) > 5
    page.select_option("#draw-class", "zone")
    page.locator("#draw").press("Enter")
    page.keyboard.press("Escape")
    assert page.locator("#area-list li").count() == 1


def test_a_place_in_a_video_is_hidden_in_all_of_it(open_page: Open, portrait: Path, tmp_path: Path) -> None:
    """A drag over a video hides the place in every frame of it, and in no other photo."""
    clip = tmp_path / "clip.mp4"
    videos.make(clip, frames=10)
    page = open_page()
    page.set_input_files("#files", [clip, portrait])
    wait_for_all(page, 2)
    page.click("#draw")
    frame = frame_of(page)
    left, top = frame["x"] + 0.35 * frame["width"], frame["y"] + 0.2 * frame["height"]
    right, bottom = frame["x"] + 0.65 * frame["width"], frame["y"] + 0.6 * frame["height"]
    page.mouse.move(left, top)
    page.mouse.down()
    page.mouse.move(right, bottom, steps=4)
    page.mouse.up()
    assert page.inner_text("#area-list") == "Hidden in this video\nRemove"
    wait_until_applied(page)
    with page.expect_download() as download:
        page.click("#download")
    before, after = videos.upright_frames(clip), videos.upright_frames(Path(download.value.path()))
    width, height = before[0].size
    place = (0.37 * width, 0.23 * height, 0.63 * width, 0.57 * height)
    spread = [[np.asarray(item.crop(place), np.float32).std() for item in part] for part in (before, after)]
    # A person passes there; a privacy mask has one colour.
    assert max(spread[0]) > 30
    assert max(spread[1]) < 10
    page.locator("#list").focus()
    page.keyboard.press("End")
    until(lambda: page.inner_text("#verdict") == "1 hidden")
    assert not page.is_visible("#area-list")
