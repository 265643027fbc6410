"""A PostgreSQL server for tests, where PostgreSQL is installed."""

import itertools
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.system import free_port

FOLDERS = ("/usr/lib/postgresql", "/opt/homebrew/opt", "/usr/local/opt")
OPTIONS = "-c fsync=off -c shared_buffers=16MB"


def find_postgres() -> Path | None:
    """Return the folder of PostgreSQL's programs, the newest where there are several."""
    found = [path.parent for folder in FOLDERS for path in Path(folder).glob("*/bin/initdb")]
    on_path = shutil.which("initdb")
    if on_path:
        found.append(Path(on_path).parent)
    return max(
        found, key=lambda path: [int(number) for number in re.findall(r"\d+", str(path))], default=None
    )


class PostgresServer:
    """One server on a port of its own, reachable from this machine only."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        # Not among pytest's folders: those are closed to any other account.
        self._home = Path(tempfile.mkdtemp(prefix="obscura-pg-"))
        self._folder = self._home / "data"
        self._log = self._home / "log"
        self.port = free_port()
        self._numbers = itertools.count()
        # PostgreSQL refuses to run as root; the account that its package makes is there where it is.
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(self._home, self._user)
        self._run("initdb", "-A", "trust", "-U", "obscura", "-D", str(self._folder), "--no-sync")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, user=self._user, cwd=self._home)

    def start(self) -> None:
        """Start, and return when it answers."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self._folder} {OPTIONS}"
        self._run("pg_ctl", "-D", str(self._folder), "-o", options, "-l", str(self._log), "-w", "start")

    def stop(self) -> None:
        """Stop at once, as a crash would."""
        self._run("pg_ctl", "-D", str(self._folder), "-m", "immediate", "stop")

    def remove(self) -> None:
        """Stop, and leave nothing behind."""
        self.stop()
        shutil.rmtree(self._home)

    def new_database(self) -> str:
        """Return the URL of a new and empty database."""
        name = f"test{next(self._numbers)}"
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "obscura", name)
        return f"postgresql://obscura@127.0.0.1:{self.port}/{name}"
