"""The compiled coder is made at set-up where it can be, and its absence stops nothing."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from obscura.jpeg import build, native
from obscura.jpeg.huffman import optimal
from obscura.jpeg.splice import available_engines, splice
from tests.unit.jpeg.samples import made


def test_it_compiles_where_a_compiler_is(tmp_path: Path) -> None:
    """The sources compile without a word from a strict compiler, and nothing else is needed."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    assert build.build(tmp_path / "new" / "coder.so") is None
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["coder.so"]
    sources = sorted(Path(build.__file__).with_name("native").glob("*.c"))
    command = [compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", *map(str, sources)]
    assert subprocess.run(command, check=False).returncode == 0


def test_no_compiler_is_a_reason_and_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a compiler the build says so and ends well."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert build.build(tmp_path / "coder.so") == "there is no C compiler"
    monkeypatch.setattr(build, "library_path", lambda: tmp_path / "coder.so")
    assert build.main() == 0


def test_without_the_compiled_coder_the_other_steps_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the compiled coder is missing, `splice` works all the same, and says why it is slower."""
    monkeypatch.setattr(native, "problem", lambda: "not compiled")
    first, second = available_engines()
    assert (first.is_available, first.note) == (False, "not compiled")
    assert second.is_available
    assert splice(made("cv2 420"), []).engine == "portable"


def test_importing_compiles_nothing() -> None:
    """A worker that imports the package starts no compiler."""
    script = "import subprocess, sys\nsubprocess.run = None\nimport obscura.jpeg.splice\nprint('fine')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "fine\n"


@pytest.mark.parametrize(
    "counts",
    [
        {0: 1},
        {0: 5, 1: 3},
        dict.fromkeys(range(256), 1),
        {symbol: 2**symbol for symbol in range(32)},
        {symbol: 3**symbol for symbol in range(20)},
    ],
    ids=["one", "two", "all", "steep", "steeper"],
)
def test_tables_are_within_the_standard(counts: dict[int, int]) -> None:
    """Codes are at most 16 bits long, none is all ones, every symbol that occurs has one: T.81 annex C."""
    table = optimal([counts.get(symbol, 0) for symbol in range(256)])
    assert sorted(table.values) == sorted(counts)
    assert len(table.bits) == 16
    assert sum(table.bits) == len(table.values)
    assert sum(count << (16 - length) for length, count in enumerate(table.bits, 1)) < 1 << 16
