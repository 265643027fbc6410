"""What log lines hold, and what they never hold."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import structlog
from obscura.observability.logs import configure_logging

configure_logging("info")
log = structlog.get_logger("x")

def work(photo):
    raise ValueError("broken")

with structlog.contextvars.bound_contextvars(request_id="r-1"):
    try:
        work(b"SECRET" * 10)
    except ValueError:
        log.exception("crashed", number=7)
log.debug("unseen")
"""


def test_a_traceback_holds_no_local_variables() -> None:
    """One JSON object a line, with the request id and the stack, and nothing of the photo in it."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    (line,) = done.stderr.splitlines()
    entry = json.loads(line)
    assert (entry["event"], entry["level"], entry["request_id"], entry["number"]) == (
        "crashed",
        "error",
        "r-1",
        7,
    )
    assert entry["exception"][0]["exc_type"] == "ValueError"
    assert [frame["name"] for frame in entry["exception"][0]["frames"]] == ["<module>", "work"]
    assert "SECRET" not in line


URLS = """
import logging
import structlog
from obscura.observability.logs import configure_logging
from obscura.settings import LogFormat

configure_logging("info", LogFormat("%s"))
url = "https://SECRET:pw@hooks.example.org:8443/SECRET/path?token=SECRET#SECRET"
structlog.get_logger("x").warning("told", url=url, more=f"to {url}, or http://other.example?SECRET")
logging.getLogger("y").warning("HTTP Request: POST %%s", url)
logging.getLogger("httpx").info("HTTP Request: POST %%s", url)
try:
    raise ValueError(f"cannot reach '{url}'")
except ValueError:
    structlog.get_logger("x").exception("failed")
"""


@pytest.mark.parametrize("form", ["json", "text"])
def test_addresses_are_logged_by_host_only(form: str) -> None:
    """Whoever names a URL: no path, no query, no user, whichever library writes the line, errors included."""
    done = subprocess.run([sys.executable, "-c", URLS % form], capture_output=True, text=True, check=True)
    assert done.stderr.count("https://hooks.example.org:8443") >= 3
    assert "http://other.example" in done.stderr
    lines = [line for line in done.stderr.splitlines() if "url = " not in line]
    assert not [line for line in lines if "SECRET" in line or "pw@" in line]
    if form == "json":
        assert [json.loads(line)["level"] for line in lines] == ["warning", "warning", "error"]
