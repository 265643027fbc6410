"""``bocashi-server [-p port] [-w wait_time] [-r retry_times]``: serve the bocashi API alone."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from obscura.settings import default_data_dir
from standalone.system import Place, run

GREETING = """\
bocashi is ready at {address}

  curl -F "img_file=@/path/to/your/image.jpg" "{address}/bocashi"

Ctrl-C stops it."""
MAX_PORT = 65_535


def _port(text: str) -> int:
    number = int(text)
    if not 1 <= number <= MAX_PORT:
        message = f"a port is 1 to {MAX_PORT}"
        raise argparse.ArgumentTypeError(message)
    return number


def _not_negative(text: str) -> int:
    number = int(text)
    if number < 0:
        message = "must not be negative"
        raise argparse.ArgumentTypeError(message)
    return number


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line of the legacy bocashi server and run."""
    parser = argparse.ArgumentParser(prog="bocashi-server", description=__doc__)
    parser.add_argument("-p", metavar="port", type=_port, default=5000, help="port (default 5000)")
    parser.add_argument(
        "-w", metavar="wait_time", type=_not_negative, default=1, help="seconds of one wait (default 1)"
    )
    parser.add_argument(
        "-r",
        metavar="retry_times",
        type=_not_negative,
        default=10,
        help="waits before giving up (default 10)",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: this machine only)"
    )
    parser.add_argument("--data-dir", type=Path, help="folder for photos in work and the job store")
    chosen = parser.parse_args(arguments)
    os.environ["OBSCURA_BOCASHI_WAIT_S"] = str(chosen.w)
    os.environ["OBSCURA_BOCASHI_RETRIES"] = str(chosen.r)
    data_dir = chosen.data_dir or default_data_dir(chosen.p)
    return run(Place(chosen.host, chosen.p, data_dir), GREETING, bocashi_only=True)


if __name__ == "__main__":
    sys.exit(main())
