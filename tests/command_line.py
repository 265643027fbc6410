"""The command line as a person types it: in this process, or where that matters in one of its own."""

import io
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

from obscura.cli.main import main
from tests.photos import ROOT

Done = subprocess.CompletedProcess[str]
Variables = Mapping[str, str | None]
"""What of the environment differs from this process's own; None: absent."""


def _with(environment: Variables | None) -> dict[str, str]:
    wanted = {**os.environ, **(environment or {})}
    return {name: value for name, value in wanted.items() if value is not None}


def obscura(*arguments: object, folder: Path = ROOT, environment: Variables | None = None) -> Done:
    """Run a command in this process, from its words to its exit code; anything but an exit is a fault.

    A new interpreter would load libraries and engines anew, which takes most of a command's time.
    """
    words = ["obscura", *map(str, arguments)]
    output, notes = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with (
        mock.patch.object(sys, "argv", words),
        mock.patch.dict(os.environ, _with(environment), clear=True),
        chdir(folder),
        redirect_stdout(output),
        redirect_stderr(notes),
    ):
        code = _exit_code()
    return Done(words, code, *(_content(stream) for stream in (output, notes)))


def _exit_code() -> int:
    try:
        main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


def _content(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


def in_a_process(*arguments: object, folder: Path = ROOT, environment: Variables | None = None) -> Done:
    """Run a command in a process of its own: for what several processes, signals or pipes have a part in."""
    words = [sys.executable, "-m", "obscura.cli", *map(str, arguments)]
    return subprocess.run(
        words,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=folder,
        env=_with(environment),
    )
