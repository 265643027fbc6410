"""What a splice costs beside decoding, blurring and encoding the same photo."""

import time
from collections.abc import Callable

import cv2
import pytest

from benchmarks.splice import by_cv2, by_pillow, by_splice, photo
from obscura.jpeg import native


def cpu_seconds(work: Callable[[], object]) -> float:
    """Return the least CPU time of two runs."""
    taken = []
    for _ in range(2):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


@pytest.mark.parametrize("is_progressive", [False, True])
def test_a_splice_is_cheap_and_changes_the_size_little(*, is_progressive: bool) -> None:
    """Three faces in 12 megapixels: less CPU time than either re-encode, a size within 2 %.

    `make bench-splice` measures how much less; caches shared with other processes make that vary by a fifth.
    """
    if native.problem() is not None:
        pytest.skip(f"native coder: {native.problem()}")
    jpeg = photo(is_progressive=is_progressive)
    spliced = cpu_seconds(lambda: by_splice(jpeg))
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        assert spliced <= 0.9 * cpu_seconds(lambda: by_cv2(jpeg, is_progressive=is_progressive))
    finally:
        cv2.setNumThreads(threads)
    assert spliced <= 0.9 * cpu_seconds(lambda: by_pillow(jpeg, is_progressive=is_progressive))
    assert abs(len(by_splice(jpeg)) - len(jpeg)) <= 0.02 * len(jpeg)
