"""Progress bars on a terminal."""

from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

__all__ = ["Bars"]


class Bars:
    """A bar for all files and one for each video in work, on standard error until `stop`."""

    def __init__(self, total: int, done: int) -> None:
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._all = self._bars.add_task("files", total=total, completed=done, rate="")
        self._videos: dict[Path, TaskID] = {}
        self._bars.start()

    def stop(self) -> None:
        """Leave the terminal as it is."""
        self._bars.stop()

    def file(self, path: Path, rate: str) -> None:
        """Count a file that is done, and remove the bar of its video."""
        if path in self._videos:
            self._bars.remove_task(self._videos.pop(path))
        self._bars.update(self._all, advance=1, rate=rate)

    def video(self, path: Path, stage: str, done: int, total: int) -> None:
        """Show how far a video is."""
        if path not in self._videos:
            self._videos[path] = self._bars.add_task("", rate="")
        name = f"{path.name}: {stage}"
        self._bars.update(self._videos[path], description=name, completed=done, total=max(total, done))
