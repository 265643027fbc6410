"""What a release is checked for and what lies beside it: ``make release`` calls this.

``check`` holds version, changelog and checkout against each other; ``images`` builds an image per service and
one of the whole system where docker is there; ``push`` publishes them; ``sums`` writes ``SHA256SUMS`` over a
folder.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCKER = os.environ.get("DOCKER", "docker")
SEMANTIC = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-[0-9A-Za-z.-]+)?")
SECTIONS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security", "Known limits"}
SUMS = "SHA256SUMS"
UNRELEASED = "Unreleased"


@dataclass(frozen=True)
class Entry:
    """One version of the changelog: name, date where it is released, sections with their lines."""

    name: str
    date: str
    sections: dict[str, list[str]]


def version() -> str:
    """Return the version: it stands in ``obscura/__init__.py`` and nowhere else."""
    text = (ROOT / "obscura" / "__init__.py").read_text(encoding="utf-8")
    return str(re.findall(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)[0])


def changelog(text: str) -> list[Entry]:
    """Return the entries of a changelog, the newest first."""
    entries: list[Entry] = []
    lines: list[str] = []
    for line in text.splitlines():
        if heading := re.fullmatch(r"## \[?([^\]\s]+)\]?(?: - (\S+))?", line):
            entries.append(Entry(heading[1], heading[2] or "", {}))
        elif line.startswith("### ") and entries:
            lines = entries[-1].sections.setdefault(line.removeprefix("### ").strip(), [])
        elif line.startswith("- "):
            lines.append(line)
    return entries


def _number(name: str) -> tuple[int, ...]:
    found = SEMANTIC.fullmatch(name)
    return tuple(int(part) for part in found.groups()) if found else ()


def _faults_of(entry: Entry) -> list[str]:
    found = [f"{entry.name}: unknown section {name}" for name in sorted(set(entry.sections) - SECTIONS)]
    found += [f"{entry.name}: {name} is empty" for name, lines in entry.sections.items() if not lines]
    if entry.name != UNRELEASED:
        if not SEMANTIC.fullmatch(entry.name):
            found.append(f"{entry.name} is no semantic version")
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", entry.date):
            found.append(f"{entry.name} has no date")
    return found


def faults(entries: Sequence[Entry], current: str, *, draft: bool) -> list[str]:
    """Return what is wrong with a changelog for a release of ``current``; a draft need not be named."""
    found = [fault for entry in entries for fault in _faults_of(entry)]
    if not SEMANTIC.fullmatch(current):
        found.append(f"{current} is no semantic version")
    released = [entry.name for entry in entries if entry.name != UNRELEASED]
    numbers = [_number(name) for name in released]
    if numbers != sorted(set(numbers), reverse=True):
        found.append("versions are not in order, the newest first")
    if not draft and released[:1] != [current]:
        found.append(f"the changelog's newest version is not {current}")
    if not draft and any(entry.name == UNRELEASED and entry.sections for entry in entries):
        found.append("the changelog still has lines under Unreleased")
    return found


def _is_clean() -> bool:
    command = ["git", "status", "--porcelain"]
    return not subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def check(*, draft: bool) -> int:
    """Print what stands in the way of a release; return 1 if anything does."""
    entries = changelog((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    found = faults(entries, version(), draft=draft)
    if not draft and not _is_clean():
        found.append("the checkout has changes that are not committed")
    for fault in found:
        print(f"release: {fault}", file=sys.stderr)
    print(f"release: {version()}{' (a draft)' if draft else ''}")
    return 1 if found else 0


def targets() -> list[str]:
    """Return the Dockerfile's targets that are released: the services and ``obscura``, the whole system."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    return re.findall(r"^FROM \S+ AS (\w+_service|obscura)$", text, re.MULTILINE)


def image_of(target: str) -> str:
    """Return the name of a target's image, as the compose files have it."""
    names = {"obscura": "obscura", "photo_service": "obscura-photos", "video_service": "obscura-videos"}
    return names.get(target) or "obscura-" + target.removesuffix("_service").replace("_", "-")


def images(folder: Path) -> int:
    """Build and tag an image per target, and list their ids and sizes in ``images.txt``."""
    if shutil.which(DOCKER) is None:
        print("release: there is no docker here: no images were built")
        return 0
    lines = []
    for target in targets():
        tag = f"{image_of(target)}:{version()}"
        subprocess.run([DOCKER, "build", "--target", target, "--tag", tag, "."], cwd=ROOT, check=True)
        told = [DOCKER, "image", "inspect", "--format", "{{.Id}} {{.Size}}", tag]
        found = subprocess.run(told, check=True, capture_output=True, text=True).stdout.strip()
        lines.append(f"{tag} {found}\n")
    (folder / "images.txt").write_text("".join(lines), encoding="utf-8")
    return 0


def push(folder: Path, registry: str) -> int:
    """Publish the images of ``images.txt`` below ``registry``: as their version and as the latest one."""
    for line in (folder / "images.txt").read_text(encoding="utf-8").splitlines():
        image = line.split()[0]
        for tag in (image, f"{image.partition(':')[0]}:latest"):
            subprocess.run([DOCKER, "tag", image, f"{registry}/{tag}"], check=True)
            subprocess.run([DOCKER, "push", f"{registry}/{tag}"], check=True)
    return 0


def sums(folder: Path) -> int:
    """Write the checksums of every file in ``folder``, as ``sha256sum --check`` reads them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS)
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in files
    ]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")
    print("".join(lines), end="")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Do one part of a release."""
    parser = argparse.ArgumentParser(prog="python deploy/release.py", description=__doc__)
    parts = parser.add_subparsers(dest="part", required=True)
    parts.add_parser("check").add_argument("--draft", action="store_true")
    parts.add_parser("images").add_argument("folder", type=Path)
    pushing = parts.add_parser("push")
    pushing.add_argument("folder", type=Path)
    pushing.add_argument("registry", help="such as ghcr.io/NAME; docker login comes first")
    parts.add_parser("sums").add_argument("folder", type=Path)
    chosen = parser.parse_args(arguments)
    match chosen.part:
        case "check":
            return check(draft=chosen.draft)
        case "images":
            return images(chosen.folder)
        case "push":
            return push(chosen.folder, chosen.registry)
        case _:
            return sums(chosen.folder)


if __name__ == "__main__":
    sys.exit(main())
