"""A standard photo of a participation, and today's photo for its feed (dialect 2).

python examples/verification/dialect_two.py PARTICIPATION STANDARD PHOTO [URL]

Exit code 0 when today's photo was taken, 1 when it was refused, 2 when something is wrong.
Standard library only.
"""

import base64
import json
import sys
import urllib.error
import urllib.request
from http import HTTPStatus
from pathlib import Path


def post(url: str, body: dict[str, str]) -> int:
    """Post ``body`` as JSON and return the HTTP status."""
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310 - the caller's own server
    try:
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - the same
            status, answer = response.status, json.load(response)
    except urllib.error.HTTPError as refusal:
        status, answer = refusal.code, json.load(refusal)
    print(url, status, answer.get("errcode", ""), answer["message"])
    return int(status)


def main(participation: str, standard: str, photo: str, url: str = "http://127.0.0.1:8000") -> int:
    """Register, post."""
    first, second = (base64.b64encode(Path(path).read_bytes()).decode() for path in (standard, photo))
    ids = {"participation_id": participation}
    if post(f"{url}/auth/stdimg", ids | {"std_img": first}) != HTTPStatus.OK:
        return 2
    posted = post(f"{url}/auth/feature", ids | {"feed_img": second, "feed_content": "오늘도 완료"})
    return {HTTPStatus.OK: 0, HTTPStatus.BAD_REQUEST: 1}.get(HTTPStatus(posted), 2)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
