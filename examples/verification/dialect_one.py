"""A standard photo under a name, and a photo to compare with it (dialect 1).

python examples/verification/dialect_one.py STANDARD PHOTO [URL]

Exit code 0 when both photos show the same thing, 1 when not, 2 when something is wrong.
Standard library only.
"""

import base64
import json
import sys
import urllib.request
from pathlib import Path
from typing import Any


def post(url: str, body: dict[str, str]) -> dict[str, Any]:
    """Post ``body`` as JSON; the answer is always HTTP 200, its status is inside."""
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310 - the caller's own server
    with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - the same
        answer: dict[str, Any] = json.load(response)
    print(url, answer["status"], answer["message"], answer["result"])
    return answer


def main(standard: str, photo: str, url: str = "http://127.0.0.1:8000") -> int:
    """Register, compare."""
    first, second = (base64.b64encode(Path(path).read_bytes()).decode() for path in (standard, photo))
    if not post(f"{url}/auth/stdimg", {"data": first, "name": "example"})["result"]:
        return 2
    compared = post(f"{url}/auth/feature", {"data": second, "name": "example"})
    if compared["result"]:
        return 0
    return 1 if compared["status"] == 200 else 2  # noqa: PLR2004 - the dialect's word for "done"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
