"""A person's acceptance script: photo in, redacted photo out, over HTTP.

Run it against a running system::

    python test_blurring.py [PHOTO] [--url http://localhost:8000] [--output FILE]

pytest collects it too, against a system that a fixture starts.
"""

import argparse
import base64
import io
import sys
from pathlib import Path

from test_detection import DEFAULT_PHOTO, DEFAULT_URL, HTTPError, detect_faces, post_photo, wait_for_result


def blur_faces(url: str, path: Path) -> bytes:
    """Return the photo at ``path`` with its faces hidden."""
    result = wait_for_result(url, post_photo(f"{url}/blur_faces", path))
    assert isinstance(result, str), "a blurring answers with a picture in base64"
    return base64.b64decode(result, validate=True)


def test_blurring(system_url: str, portrait: Path) -> None:
    """The picture that comes back has no face in it, and is the same to the bit everywhere else."""
    # The script itself needs neither.
    import numpy as np  # noqa: PLC0415 - see above
    from PIL import Image  # noqa: PLC0415 - see above

    x1, y1, x2, y2 = detect_faces(system_url, portrait)["face_1"]["facial_area"]
    before = np.asarray(Image.open(portrait).convert("RGB")).astype(int)
    after = np.asarray(Image.open(io.BytesIO(blur_faces(system_url, portrait))).convert("RGB")).astype(int)
    assert after.shape == before.shape
    changed = np.abs(after - before).max(axis=2)
    assert (changed[y1:y2, x1:x2] > 8).mean() > 0.6, "the face is still there"
    outside = changed.copy()
    margin = (y2 - y1) // 2
    outside[max(0, y1 - margin) : y2 + margin, max(0, x1 - margin) : x2 + margin] = 0
    assert not outside.any(), "something else than the face has changed"


def main() -> int:
    """Parse the command line, blur, save."""
    parser = argparse.ArgumentParser(description="Hide the faces in a photo.")
    parser.add_argument("photo", nargs="?", type=Path, default=DEFAULT_PHOTO)
    parser.add_argument("--url", default=DEFAULT_URL)
    parser.add_argument("--output", type=Path, default=Path("blurred.jpg"))
    chosen = parser.parse_args()
    if not chosen.photo.is_file():
        sys.exit(f"no such photo: {chosen.photo}")
    try:
        picture = blur_faces(chosen.url.rstrip("/"), chosen.photo)
    except HTTPError as error:
        sys.exit(f"cannot reach {chosen.url}: {error}; is the system running (make run)?")
    chosen.output.write_bytes(picture)
    print(f"saved {chosen.output} ({len(picture)} bytes)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
