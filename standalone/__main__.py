"""``python -m standalone``: run the whole system in the foreground (``obscura serve``)."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from obscura.settings import default_data_dir
from standalone.system import Place, run

GREETING = """\
Obscura is ready at {address}

  curl -H "Accept: image/jpeg" -F file=@photo.jpg {address}/blur -o redacted.jpg

Ctrl-C stops it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="obscura serve", description=__doc__)
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: this machine only)"
    )
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--data-dir", type=Path, help="folder for photos in work and the job store")
    chosen = parser.parse_args(arguments)
    data_dir = chosen.data_dir or default_data_dir(chosen.port)
    return run(Place(chosen.host, chosen.port, data_dir), GREETING)


if __name__ == "__main__":
    sys.exit(main())
