"""Make items ahead of their use, in a thread of their own."""

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

__all__ = ["ahead"]

DEPTH: Final = 4
"""Items made in advance at most: a frame of 17 megapixels has 75 MB."""

Item = TypeVar("Item")


def ahead(items: Iterator[Item]) -> Generator[Item]:
    """Yield ``items``, which is iterated over in another thread, a few in advance.

    What it raises is raised here in its turn. Closing this generator waits for the item in work.
    """
    end = object()
    with ThreadPoolExecutor(1, "ahead") as pool:
        try:
            waiting = deque(pool.submit(next, items, end) for _ in range(DEPTH))
            while (item := waiting.popleft().result()) is not end:
                waiting.append(pool.submit(next, items, end))
                yield item  # type: ignore[misc]  # not the end
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
