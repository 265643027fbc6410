"""What is installed: locked with hashes, above the floors, and no pickle that nobody vouched for."""

import hashlib
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.version import Version

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
# The first version without a fault that matters here; reasons stand in docs/how-to/operations.md.
FLOORS = {
    "celery": "5.7.0",
    "kombu": "5.7.0",
    "python-multipart": "0.0.32",
    "starlette": "1.3.1",
    "h11": "0.16",
    "pillow": "12.3",
    "pillow-heif": "1.7",
    "opencv-python-headless": "4.12",
    "onnx": "1.21",
    "torch": "2.10",
    "ultralytics": "8.3.47",
    "ultralytics-opencv-headless": "8.3.47",
}
CEILINGS = {"opencv-python-headless": "5"}
PICKLES = {".pt", ".pth", ".pkl", ".pickle", ".joblib", ".ckpt", ".bin"}


def pinned(lock: Path) -> dict[str, Version]:
    """Return the version of every package in a lock."""
    found = re.findall(r"^([\w.-]+)==([^\s;\\]+)", lock.read_text("utf-8"), re.MULTILINE)
    return {name.lower(): Version(version) for name, version in found}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_locks_are_above_the_floors(lock: Path) -> None:
    """No package with a known fault is installed."""
    versions = pinned(lock)
    assert versions
    below = {
        name: str(versions[name])
        for name in FLOORS.keys() & versions
        if versions[name] < Version(FLOORS[name])
    }
    above = {
        name: str(versions[name])
        for name in CEILINGS.keys() & versions
        if versions[name] >= Version(CEILINGS[name])
    }
    assert (below, above) == ({}, {})


def test_every_image_has_a_bill_of_materials() -> None:
    """`make sbom` lists each lock that the Dockerfile installs, and that of `make run`."""
    installed = set(re.findall(r"requirements/(\w+)\.lock", (ROOT / "Dockerfile").read_text("utf-8")))
    (listed,) = re.findall(r"@for name in ([\w ]+); do", (ROOT / "Makefile").read_text("utf-8"))
    assert installed - {"bootstrap"} | {"run"} == set(listed.split())


def test_the_floors_that_matter_are_locked_somewhere() -> None:
    """What decodes hostile bytes and what carries jobs is among the locked packages."""
    locked = set().union(*(pinned(lock) for lock in LOCKS))
    assert {
        "celery",
        "kombu",
        "python-multipart",
        "starlette",
        "h11",
        "pillow",
        "opencv-python-headless",
    } <= locked


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_locked_package_has_hashes_and_no_address(lock: Path) -> None:
    """A lock says what is installed, not where from; each package is held to its bytes."""
    text = lock.read_text("utf-8")
    assert "://" not in text
    blocks = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)[1:]
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_every_pickle_is_one_that_the_manifest_vouches_for() -> None:
    """Files that can run code when they are loaded stand in the manifest with the sha256 that they have."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    pickles = [name for name in listed.stdout.splitlines() if Path(name).suffix in PICKLES]
    manifest = (ROOT / "models" / "manifest.toml").read_text("utf-8")
    tomllib.loads(manifest)
    for name in pickles:
        assert hashlib.sha256((ROOT / name).read_bytes()).hexdigest() in manifest, name
