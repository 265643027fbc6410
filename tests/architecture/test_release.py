"""The version stands in one place, the changelog can be released, and what is released can be checked."""

import hashlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

import obscura

ROOT = Path(__file__).parents[2]
STAGES = ROOT / ".ci" / "stages"


@pytest.fixture(scope="module")
def release() -> ModuleType:
    """Return the script that a release is made with."""
    spec = importlib.util.spec_from_file_location("release_script", ROOT / "deploy" / "release.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # A dataclass looks its own module up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_version_stands_in_one_place(release: ModuleType) -> None:
    """The package tells it, the build reads it there, and what has to repeat it agrees."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    assert 'dynamic = ["version"]' in text
    assert 'path = "obscura/__init__.py"' in text
    assert release.version() == obscura.__version__
    for path in (ROOT / "deploy" / "kubernetes").rglob("kustomization.yaml"):
        for image in yaml.safe_load(path.read_text("utf-8")).get("images", []):
            assert image["newTag"] == obscura.__version__, path


def test_the_changelog_is_in_order(release: ModuleType) -> None:
    """Sections are known and hold lines, versions have dates and fall."""
    entries = release.changelog((ROOT / "CHANGELOG.md").read_text("utf-8"))
    assert entries
    assert release.faults(entries, obscura.__version__, draft=True) == []


def test_a_tagged_version_has_its_entry(release: ModuleType) -> None:
    """What was released once is told of in the changelog."""
    tags = subprocess.run(
        ["git", "tag", "--list", "v*"], cwd=ROOT, check=False, capture_output=True, text=True
    )
    named = {entry.name for entry in release.changelog((ROOT / "CHANGELOG.md").read_text("utf-8"))}
    assert {tag.removeprefix("v") for tag in tags.stdout.split()} <= named


HEAD = "# Changelog\n\n"
NEW = "## Unreleased\n\n### Added\n\n- Something.\n\n"
ONE = "## 1.0.0 - 2026-01-01\n\n### Added\n\n- All.\n\n"
TWO = "## 1.1.0 - 2026-02-01\n\n### Fixed\n\n- A fault.\n\n"


@pytest.mark.parametrize(
    ("text", "current", "fault"),
    [
        (TWO + ONE, "1.1.0", None),
        ("## Unreleased\n\n" + TWO + ONE, "1.1.0", None),
        (NEW + TWO, "1.1.0", "Unreleased"),
        (TWO + ONE, "1.2.0", "not 1.2.0"),
        (NEW, "0.1.0", "not 0.1.0"),
        (ONE + TWO, "1.0.0", "order"),
        (TWO + TWO, "1.1.0", "order"),
        (ONE.replace(" - 2026-01-01", ""), "1.0.0", "no date"),
        (ONE.replace("Added", "News"), "1.0.0", "unknown section"),
        (ONE.replace("- All.", ""), "1.0.0", "empty"),
        (ONE, "1.0", "semantic"),
    ],
)
def test_a_changelog_that_cannot_be_released_is_refused(
    release: ModuleType, text: str, current: str, fault: str | None
) -> None:
    """Each fault is named; a good changelog has none."""
    found = release.faults(release.changelog(HEAD + text), current, draft=False)
    assert (found == []) is (fault is None)
    assert fault is None or any(fault in line for line in found)


def test_checksums_are_those_of_the_files(release: ModuleType, tmp_path: Path) -> None:
    """Every file is listed with its own checksum, those in folders too, and the list itself is not."""
    (tmp_path / "sbom").mkdir()
    contents = {"a.whl": b"wheel", "sbom/run.cdx.json": b"{}"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    for _ in range(2):
        release.sums(tmp_path)
    lines = (tmp_path / "SHA256SUMS").read_text("utf-8").splitlines()
    assert lines == [f"{hashlib.sha256(content).hexdigest()}  {name}" for name, content in contents.items()]


def test_every_service_is_released_as_an_image(release: ModuleType) -> None:
    """The targets of the Dockerfile are the services that there are, and the whole system."""
    services = {path.name for path in ROOT.glob("*_service") if path.is_dir()}
    assert set(release.targets()) == {"obscura", *services}
    assert release.image_of("obscura") == "obscura"
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    for service in services & set(compose):
        assert release.image_of(service) == compose[service]["image"]


def test_images_are_published_under_their_version(
    release: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each image of the list is tagged for the registry and pushed, as its version and as the latest one."""
    calls = tmp_path / "calls"
    docker = tmp_path / "docker"
    docker.write_text(f'#!/bin/sh\necho "$@" >> {calls}\n')
    docker.chmod(0o755)
    monkeypatch.setattr(release, "DOCKER", str(docker))
    (tmp_path / "images.txt").write_text("obscura:1.2.3 sha256:5f 961000000\n")
    release.push(tmp_path, "registry.example/me")
    assert calls.read_text().splitlines() == [
        f"{verb} registry.example/me/obscura:{tag}"
        for tag in ("1.2.3", "latest")
        for verb in ("tag obscura:1.2.3", "push")
    ]


def test_the_stages_of_the_build_machine_are_those_it_lists() -> None:
    """Each stage has a case of its own, calls make or pytest, and an unknown one is refused."""
    text = STAGES.read_text("utf-8")
    assert STAGES.stat().st_mode & 0o111
    cases = re.findall(r"^([a-z0-9]+)\)$", text, re.MULTILINE)
    assert cases == ["check", "test", "e2e", "compose", "release"]
    done = subprocess.run([STAGES, "nonsense"], check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert all(case in done.stderr for case in cases)
