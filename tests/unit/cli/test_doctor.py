"""What `obscura doctor` says of an installation."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from obscura.cli import doctor
from obscura.cli.doctor import Health, Part
from obscura.cli.main import app
from obscura.jpeg import native
from obscura.settings import Settings


def by_name(settings: Settings) -> dict[str, Part]:
    """Return what is said, by part."""
    return {part.name: part for part in doctor.parts(settings)}


def test_a_whole_installation(settings: Settings) -> None:
    """With a broker and a folder, everything that an installation needs is there and named."""
    found = by_name(settings)
    assert {"cores", "inference", "gpu", "splice", "HEIC", "storage", "broker", "limits"} <= found.keys()
    assert found["broker"].health is Health.OK
    assert found["model face-yolov8n"].health is Health.OK
    assert "max_pixels 50000000" in found["limits"].message
    assert not [part for part in found.values() if part.health is Health.PROBLEM]


def test_the_slow_splice_engine_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the compiled coder the portable one is used, and doctor says how to get the other."""
    monkeypatch.setattr(native, "problem", lambda: "run `python -m obscura.jpeg.build`")
    part = by_name(Settings())["splice"]
    assert part.health is Health.WARNING
    assert "portable" in part.message
    assert "obscura.jpeg.build" in part.message


def test_a_gpu_that_is_asked_for_and_not_there_is_a_warning() -> None:
    """Where the networks run is said."""
    assert by_name(Settings())["gpu"].health is Health.OK
    part = by_name(Settings(device="cuda"))["gpu"]
    assert part.health is Health.WARNING
    assert "run on the CPU" in part.message


def test_what_does_not_work_is_named_and_nothing_of_it_leaks(tmp_path: Path) -> None:
    """A silent broker, a folder that is none, and weights that are absent each have their line."""
    (tmp_path / "file").write_text("")
    found = by_name(
        Settings(
            redis_url="redis://:geheim@127.0.0.1:1/0", storage_dir=tmp_path / "file", models_dir=tmp_path
        )
    )
    assert found["broker"].health is Health.WARNING
    assert found["storage"].health is Health.PROBLEM
    assert found["models"].health is Health.PROBLEM
    assert "geheim" not in "".join(part.message for part in found.values())


def test_a_plain_install_lacks_nothing_but_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the packages of a server what cannot be looked at is a warning that names the extra."""
    monkeypatch.setitem(sys.modules, "redis", None)
    found = [part for part in doctor.parts(Settings()) if "redis" in part.message]
    assert "broker" in {part.name for part in found}
    assert {part.health for part in found} == {Health.WARNING}
    assert all("pip install 'obscura-photo[server]'" in part.message for part in found)


def test_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Lines for people, one object for programs, and an exit code for scripts."""
    monkeypatch.setenv("OBSCURA_STORAGE_DIR", str(tmp_path / "new"))
    shown = CliRunner().invoke(app, ["doctor"])
    assert shown.exit_code == 0, shown.output
    assert "ok       splice: native" in shown.output or "WARNING  splice" in shown.output
    assert not (tmp_path / "new").exists()
    parts = json.loads(CliRunner().invoke(app, ["doctor", "--json"]).output)["parts"]
    assert {part["name"] for part in parts} >= {"inference", "limits"}
    monkeypatch.setenv("OBSCURA_MODELS_DIR", str(tmp_path / "nowhere"))
    assert CliRunner().invoke(app, ["doctor"]).exit_code == 1
