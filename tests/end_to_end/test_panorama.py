"""A 360-degree panorama through the running system: its seam is no blind spot, and it stays a panorama."""

import base64
import io
import re

import httpx
import numpy as np
import pytest
from PIL import Image

from tests import photos
from tests.end_to_end.test_faceblur import work

pytestmark = pytest.mark.end_to_end
# What cameras write, by element and by attribute, beside what shall not come through.
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:GPano="http://ns.google.com/photos/1.0/panorama/" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" dc:creator="PRIVATE" GPano:ProjectionType="equirectangular" '
    'GPano:UsePanoramaViewer="True" GPano:PoseHeadingDegrees="123.4">'
    "<GPano:FullPanoWidthPixels>{full}</GPano:FullPanoWidthPixels>"
    "<GPano:FullPanoHeightPixels>{high}</GPano:FullPanoHeightPixels>"
    "<GPano:CroppedAreaImageWidthPixels>{width}</GPano:CroppedAreaImageWidthPixels>"
    "<GPano:CroppedAreaImageHeightPixels>{height}</GPano:CroppedAreaImageHeightPixels>"
    "<GPano:CroppedAreaLeftPixels>0</GPano:CroppedAreaLeftPixels>"
    "<GPano:CroppedAreaTopPixels>{top}</GPano:CroppedAreaTopPixels>"
    "</rdf:Description></rdf:RDF></x:xmpmeta>"
)
MIDDLE = (photos.FACE[0] + photos.FACE[2]) // 2


def panorama(width: int, height: int) -> Image.Image:
    """Return a picture whose left and right edge cut one face in two, with two other people in between."""
    canvas = Image.new("RGB", (width, height), (120, 125, 130))
    top = (height - 512) // 2
    for left in (0, width // 3, 2 * width // 3):
        canvas.paste(photos.portrait(), (left, top))
    return Image.fromarray(np.roll(np.asarray(canvas), -MIDDLE, axis=1))


def xmp_in(data: bytes) -> str:
    """Return the XMP of a JPEG."""
    return bytes(Image.open(io.BytesIO(data)).info["xmp"]).decode()


@pytest.mark.parametrize(("width", "height"), [(2048, 1024), (1800, 640)])
def test_a_face_on_the_seam_is_hidden_on_both_sides(client: httpx.Client, width: int, height: int) -> None:
    """By its shape, and, where sky and ground are cut off, by what the file says."""
    told = XMP.format(full=width, high=width // 2, width=width, height=height, top=(width // 2 - height) // 2)
    before = photos.encoded(panorama(width, height), quality=92, xmp=told.encode())
    body = work(client, "/blur_faces", before)
    after = base64.b64decode(body["result"])
    first, second = (np.asarray(Image.open(io.BytesIO(data)), np.float32) for data in (before, after))
    assert first.shape == second.shape
    # The face's half at either edge, less what is only hair.
    top, bottom = ((height - 512) // 2 + edge for edge in (photos.FACE[1] + 20, photos.FACE[3] - 20))
    change = np.abs(first - second)[top:bottom]
    assert change[:, :30].mean() > 15
    assert change[:, -30:].mean() > 15
    boxes = [item["xyxy"] for item in body["detections"]]
    assert all(0 <= box[0] < box[2] <= width for box in boxes)
    # One person in two parts, which are as sure as the whole.
    parts = [item for item in body["detections"] if item["xyxy"][0] == 0 or item["xyxy"][2] == width]
    assert len(parts) == 2
    assert len({item["confidence"] for item in parts}) == 1
    assert body["report"]["lossless"]["blocks_touched"] < body["report"]["lossless"]["blocks_total"] / 4
    assert body["report"]["metadata_kept"] == ["pano"]
    kept = dict(re.findall(r'GPano:(\w+)="([^"]*)"', xmp_in(after)))
    assert kept == {
        "ProjectionType": "equirectangular",
        "FullPanoWidthPixels": str(width),
        "FullPanoHeightPixels": str(width // 2),
        "CroppedAreaImageWidthPixels": str(width),
        "CroppedAreaImageHeightPixels": str(height),
        "CroppedAreaLeftPixels": "0",
        "CroppedAreaTopPixels": str((width // 2 - height) // 2),
        "PoseHeadingDegrees": "123.400",
    }
    assert b"PRIVATE" not in after
