"""A person's acceptance script: photo in, boxes out, over HTTP.

Run it against a running system::

    python test_detection.py [PHOTO] [--url http://localhost:8000]

pytest collects it too, against a system that a fixture starts.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

try:
    import httpx
except ImportError:
    # Started by a Python without the project's packages: `make run` has put one that has them beside us.
    OWN_PYTHON = Path(__file__).parent / ".venv" / "bin" / "python"
    if not OWN_PYTHON.exists() or Path(sys.prefix) == OWN_PYTHON.parents[1]:
        sys.exit("httpx is not installed here; `make setup` makes a .venv that has it")
    os.execv(OWN_PYTHON, [str(OWN_PYTHON), *sys.argv])  # noqa: S606 - no shell wanted

# For the other script, which must come through the check above first.
HTTPError = httpx.HTTPError
DEFAULT_URL = "http://localhost:8000"
DEFAULT_PHOTO = Path(__file__).parent / "examples" / "portrait.jpg"
PATIENCE_S = 60.0
POLL_S = 0.1


def post_photo(url: str, path: Path) -> str:
    """Post the photo at ``path`` to ``url`` and return the task id."""
    with path.open("rb") as photo:
        answer = httpx.post(url, files={"file": (path.name, photo)}, timeout=PATIENCE_S)
    if answer.status_code != httpx.codes.OK:
        sys.exit(f"{url} answered {answer.status_code}: {answer.text}")
    return str(answer.json()["task_id"])


def wait_for_result(url: str, task_id: str) -> Any:
    """Poll until the task has ended and return its result."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        answer = httpx.get(f"{url}/task_result/{task_id}", timeout=PATIENCE_S).json()
        if answer.get("status") == "SUCCESS":
            return answer["result"]
        if answer.get("status") not in {"PENDING", "RUNNING"}:
            sys.exit(f"task {task_id} failed: {json.dumps(answer)}")
        time.sleep(POLL_S)
    sys.exit(f"task {task_id} did not end within {PATIENCE_S:.0f} s")


def detect_faces(url: str, path: Path) -> dict[str, dict[str, list[int]]]:
    """Return the faces in the photo at ``path``, by name."""
    result = wait_for_result(url, post_photo(f"{url}/detect_faces", path))
    assert isinstance(result, dict), "a detection answers with boxes"
    return result


def test_detection(system_url: str, portrait: Path) -> None:
    """The face of a portrait comes back as one box that lies on it."""
    faces = detect_faces(system_url, portrait)
    assert list(faces) == ["face_1"]
    x1, y1, x2, y2 = faces["face_1"]["facial_area"]
    # The astronaut's face, by eye, in the 512 x 512 picture.
    assert 150 < x1 < 200
    assert 40 < y1 < 100
    assert 240 < x2 < 300
    assert 150 < y2 < 220


def main() -> int:
    """Parse the command line, detect, print."""
    parser = argparse.ArgumentParser(description="Find the faces in a photo.")
    parser.add_argument("photo", nargs="?", type=Path, default=DEFAULT_PHOTO)
    parser.add_argument("--url", default=DEFAULT_URL)
    chosen = parser.parse_args()
    if not chosen.photo.is_file():
        sys.exit(f"no such photo: {chosen.photo}")
    try:
        faces = detect_faces(chosen.url.rstrip("/"), chosen.photo)
    except httpx.HTTPError as error:
        sys.exit(f"cannot reach {chosen.url}: {error}; is the system running (make run)?")
    print(json.dumps(faces, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
