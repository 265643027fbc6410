"""The package deface over photos, in one process with one thread.

``make bench-peers`` installs it, without its dependencies, into ``build/peers``, where only this looks. Like
`benchmarks.floor` it does a round for every line that comes in; nothing stands around it, which favours it.
"""

import json
import sys
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

import cv2
import numpy as np

PACKAGES = Path(__file__).parents[2] / "build" / "peers"
SCORE = 0.2
GROWTH = 1.3
"""Its own defaults (``--thresh``, ``--mask-scale``)."""


class DefaceBlur:
    """The way from a photo's bytes to a blurred photo's bytes."""

    def __init__(self) -> None:
        sys.path.append(str(PACKAGES))
        with redirect_stdout(sys.stderr):
            from deface.centerface import CenterFace  # noqa: PLC0415 - lies where only this looks
            from deface.deface import anonymize_frame  # noqa: PLC0415 - likewise

            self._network = CenterFace()
        self._draw = anonymize_frame

    def blur(self, data: bytes) -> bytes:
        """Return a photo with its faces blurred, as JPEG."""
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert decoded is not None  # noqa: S101 - a benchmark's own photo
        frame = cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB)
        found, _ = self._network(frame, threshold=SCORE)
        self._draw(
            found,
            frame,
            mask_scale=GROWTH,
            replacewith="blur",
            ellipse=True,
            draw_scores=False,
            replaceimg=None,
            mosaicsize=20,
        )
        return bytes(cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))[1].tobytes())


def main(paths: Sequence[str]) -> int:
    """Work on photos once to be warm; then once more for every line that comes in."""
    cv2.setNumThreads(1)
    peer = DefaceBlur()
    photos = [Path(path).read_bytes() for path in paths]
    for photo in photos:
        peer.blur(photo)
    print("ready", flush=True)
    for line in sys.stdin:
        count = int(line)
        cpu, wall = time.process_time(), time.perf_counter()
        for number in range(count):
            peer.blur(photos[number % len(photos)])
        spent = (time.process_time() - cpu, time.perf_counter() - wall)
        print(json.dumps({"cpu_ms": spent[0] * 1000 / count, "wall_s": spent[1]}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
