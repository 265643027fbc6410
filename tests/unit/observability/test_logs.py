"""What log lines hold, and what they never hold."""

import json
import subprocess
import sys

PROGRAM = """
import structlog
from obscura.observability import configure_logging

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
