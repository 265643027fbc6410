"""The arrows of the architecture, as the code has them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = (
    "numpy",
    "cv2",
    "PIL",
    "simplejpeg",
    "onnxruntime",
    "openvino",
    "torch",
    "torchvision",
    "ultralytics",
    "pydicom",
)
SHOW_LOADED = "import sys; {statement}; print(*(name for name in {names} if name in sys.modules))"
# Each with the lock that its image is made from.
WORKERS = {
    "face_detection_service": "detection",
    "photo_service": "detection",
    "photo_verification_service": "verification",
    "plate_detection_service": "detection",
    "lesion_detection_service": "lesion",
    "redaction_service": "redaction",
    "video_service": "video",
}
GATEWAY = ["gateway_service.app", "gateway_service.__main__", "obscura.cli.main"]
# Stands in for an image: distributions that are not named in the first argument cannot be imported.
IMPORT_WITH_ONLY = """
import importlib, importlib.metadata, re, sys
allowed = set(sys.argv[1].split())
owners = importlib.metadata.packages_distributions()

class Missing:
    @staticmethod
    def find_spec(name, path=None, target=None):
        names = {re.sub("[-_.]+", "-", owner).lower() for owner in owners.get(name.partition(".")[0], ())}
        if names and not names & allowed:
            raise ModuleNotFoundError(f"{name} is not in the lock", name=name)

sys.meta_path.insert(0, Missing)
for module in sys.argv[2].split():
    importlib.import_module(module)
"""


def loaded_by(statement: str, names: tuple[str, ...]) -> list[str]:
    """Return which of ``names`` a fresh interpreter has loaded after ``statement``."""
    code = SHOW_LOADED.format(statement=statement, names=names)
    process = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return process.stdout.split()


def test_import_contracts_hold() -> None:
    """Layers, independence of the services and the single importers of each engine are kept."""
    tool = Path(sys.executable).with_name("lint-imports")
    process = subprocess.run([tool], cwd=ROOT, check=False, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr


def test_the_gateway_loads_nothing_that_opens_a_picture() -> None:
    """A gateway process, fully imported, holds no array, image or network library."""
    assert loaded_by("import gateway_service.app, gateway_service.__main__", HEAVY) == []


def test_the_contract_loads_no_service() -> None:
    """What both sides share can be imported without a web framework, a queue or an array library."""
    shared = "obscura, obscura.contract, obscura.errors, obscura.geometry"
    assert loaded_by(f"import {shared}", (*HEAVY, "fastapi", "celery", "redis")) == []


def test_importing_workers_loads_no_engine() -> None:
    """Models and their runtimes are loaded after the fork, never at import: by none of the workers."""
    engines = ("onnxruntime", "openvino", "torch", "ultralytics")
    handlers = ", ".join(f"{package}.handler" for package in WORKERS)
    assert loaded_by(f"import {handlers}, obscura.worker.process", engines) == []


@pytest.mark.parametrize("lock", ["gateway", *sorted(set(WORKERS.values()))])
def test_services_get_along_with_their_lock(lock: str) -> None:
    """Imports succeed where every package that is not in the services' lock is missing."""
    handlers = [f"{package}.handler" for package, own in WORKERS.items() if own == lock]
    own = ["obscura.worker.process", *handlers] if handlers else GATEWAY
    modules = " ".join(["kombu.transport.redis", *own])
    text = (ROOT / "requirements" / f"{lock}.lock").read_text(encoding="utf-8")
    installed = re.findall(r"^([a-z0-9][a-z0-9-]*)==", text, re.MULTILINE)
    command = [sys.executable, "-c", IMPORT_WITH_ONLY, " ".join([*installed, "obscura"]), modules]
    process = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
