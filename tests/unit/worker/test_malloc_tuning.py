"""A worker's process keeps the memory of its last photo, and no more than that."""

import subprocess
import sys
import textwrap

import pytest

from obscura.worker import malloc_tuning

pytestmark = pytest.mark.skipif(
    malloc_tuning.unused_bytes() == 0, reason="the C library does not tell of its heap"
)


def told_by(code: str) -> list[int]:
    """Return the numbers that a fresh process prints: malloc cannot be set back to what it was."""
    preamble = """
        import resource
        from pathlib import Path
        import numpy as np
        from obscura.worker.malloc_tuning import KEPT_BYTES, HeapTrimmer, tune_malloc, unused_bytes

        trimmer = HeapTrimmer()

        def photo(megabytes):
            parts = [np.ones(megabytes << 18, np.uint8) for _ in range(4)]
            return len(parts)

        def faults():
            return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

        def resident():
            line = next(row for row in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in row)
            return int(line.split()[1]) >> 10
    """
    text = textwrap.dedent(preamble) + textwrap.dedent(code)
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, check=True, timeout=120
    )
    return [int(word) for word in done.stdout.split()]


def test_the_next_photo_of_a_size_takes_no_new_pages() -> None:
    """Forty photos of 96 MiB: the memory of the first does for all, and the process does not grow."""
    first, others, before, after = told_by("""
        assert tune_malloc()
        began = faults()
        photo(96)
        first = faults() - began
        before = resident()
        for _ in range(40):
            photo(96)
            trimmer.trim()
        print(first, faults() - began - first, before, resident())
    """)
    assert others <= 4 * first
    assert after <= before + 32


def test_what_a_large_photo_took_goes_back() -> None:
    """More than is kept is handed back once the photo is done, and the next one works all the same."""
    large, left = told_by("""
        assert tune_malloc()
        keep = []
        for _ in range(4):
            keep += [np.ones(200 << 20, np.uint8), np.ones(1000, np.uint8)]
        large = resident()
        del keep[::2]
        trimmer.trim()
        print(large, resident())
        photo(64)
    """)
    assert large > 800
    assert left < large - 600


def test_nothing_goes_back_that_is_little() -> None:
    """A process that holds a photo's worth of free memory is left alone."""
    given, unused = told_by("""
        assert tune_malloc()
        photo(64)
        print(int(trimmer.trim()), unused_bytes() >> 20)
    """)
    assert not given
    assert unused >= 32


def test_a_second_large_photo_goes_back_as_well() -> None:
    """What a process holds for good is told from what it has freed, however often it was asked before."""
    small, first, second, left = told_by("""
        assert tune_malloc()
        models = np.ones(300 << 20, np.uint8)
        pins = []

        def large():
            parts = []
            for _ in range(4):
                parts.append(np.ones(100 << 20, np.uint8))
                pins.append(np.ones(1 << 20, np.uint8))

        def given(work):
            work()
            return int(trimmer.trim())

        small = lambda: photo(32)
        told = [given(work) for work in (small, large, small, small, large, small)]
        print(told[0] + told[2] + told[3] + told[5], told[1], told[4], resident())
    """)
    assert (small, first, second) == (0, 1, 1)
    assert left < 300 + 2 * 128 + 100
