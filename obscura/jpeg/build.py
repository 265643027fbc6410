"""Compiles the C coder: ``python -m obscura.jpeg.build``.

Part of the set-up, never of a running service. Where there is no C compiler it says so and ends well: the
portable coder then does the same work, more slowly. All that is needed is a C compiler with its own headers.
"""

import hashlib
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Final

_SOURCES: Final = Path(__file__).with_name("native")
_UNITS: Final = ("sequential.c", "decode.c", "encode.c")
_HEADERS: Final = ("bits.h",)
_COMPILERS: Final = ("cc", "gcc", "clang")
_FLAGS: Final = ("-std=c11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-fstack-protector-strong")
_SECONDS: Final = 120


def library_path() -> Path:
    """Return where the compiled coder of exactly these sources lies, or would lie: in this environment."""
    digest = hashlib.sha256(f"{sys.platform}-{platform.machine()}".encode())
    for name in (*_HEADERS, *_UNITS):
        digest.update((_SOURCES / name).read_bytes())
    return Path(sysconfig.get_path("platlib"), "obscura_native", f"jpeg-{digest.hexdigest()[:16]}.so")


def build(target: Path) -> str | None:
    """Compile the coder into ``target``.

    Returns
    -------
    str or None
        Why it could not be compiled; None where it was.
    """
    compiler = next((found for name in _COMPILERS if (found := shutil.which(name))), None)
    if compiler is None:
        return "there is no C compiler"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            made = Path(folder, target.name)
            units = [str(_SOURCES / name) for name in _UNITS]
            # The compiler found above and our own files: nothing in the command comes from outside.
            done = subprocess.run(  # noqa: S603
                [compiler, *_FLAGS, "-o", str(made), *units],
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
            if done.returncode != 0:
                return f"{compiler} failed: {(done.stderr.strip().splitlines() or ['no reason given'])[0]}"
            # At once, so that no process ever loads half of it.
            made.replace(target)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"it could not be compiled: {error}"
    return None


def main() -> int:
    """Compile where that has not been done yet; report, and never fail."""
    target = library_path()
    problem = None if target.is_file() else build(target)
    report = "the fast JPEG coder is ready" if problem is None else f"no fast JPEG coder, {problem}"
    sys.stdout.write(f"{report}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
